"""The one door where pictures become tensors and tensors become pictures.

Whatever a visitor brings (rotated by EXIF, transparent, CMYK, palette, 16-bit, greyscale, animated,
with a colour profile) leaves as upright 8-bit sRGB, or is refused with a sentence that says why.
"""

import io
import logging
import os
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
import torch
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError
from torch import Tensor
from torch.nn import functional as F

from zoo.errors import InputError

log = logging.getLogger(__name__)

MAX_PIXELS = 40_000_000
MIN_SIDE = 16
MAX_RATIO = 20
# What the decoders of a stock Pillow read well; "JPEG" covers the multi-picture files of cameras.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")

# Sizes are checked here, from the header, with words of our own. Pillow's own guard would raise
# before the header can be read.
Image.MAX_IMAGE_PIXELS = None

Source = str | os.PathLike[str] | bytes | BinaryIO | Image.Image


@dataclass(frozen=True)
class Notice:
    """Something worth telling that is no error: an English sentence with ``{named}`` fields."""

    message: str
    fields: Mapping[str, object]

    def __str__(self) -> str:
        return self.message.format(**self.fields)


@dataclass(frozen=True)
class Opened:
    """An upright 8-bit sRGB picture, and what was noticed while opening it."""

    image: Image.Image
    notices: tuple[Notice, ...] = ()


def open_picture(source: Source, name: str | None = None, *, hard: bool = False) -> Opened:
    """Open a file, its bytes or a Pillow image, as an upright 8-bit sRGB picture.

    The header is checked before any pixel is decoded: at most 40 megapixels, the shorter side at
    least 16 pixels, the sides at most 20 to 1. Alpha is laid on white; of an animation the
    first frame is taken; 16-bit grey is scaled, not cut, to 8 bits.

    Args:
        source: A path, the file's bytes, a binary file, or a Pillow image.
        name: What to call the picture in messages; the file's name where there is one.
        hard: Whether what is half transparent or less is white, and all else as if it were not
            transparent: no colour comes out that was not painted.

    Raises:
        InputError: The file is empty, no picture, damaged, too large, too small or too thin.
    """
    if name is None:
        name = Path(source).name if isinstance(source, str | os.PathLike) else "picture"
    name = name if len(name) <= 80 else name[:38] + "…" + name[-38:]
    damaged = InputError(
        "“{name}” is damaged and could not be opened. Choose another picture.", name=name
    )
    if isinstance(source, Image.Image):
        picture = source
    else:
        try:
            stream = open_stream(source)
            if not stream.read(1):
                raise InputError("“{name}” is empty (0 bytes). Choose another picture.", name=name)
            stream.seek(0)
            picture = Image.open(stream, formats=FORMATS)
        except UnidentifiedImageError:
            raise InputError(
                "“{name}” is not a picture we can read. Use a JPEG, PNG, WebP or GIF file.",
                name=name,
            ) from None
        except InputError:
            raise
        except (FileNotFoundError, IsADirectoryError, PermissionError):
            raise InputError(
                "“{name}” cannot be opened. Check the path and that you may read it.", name=name
            ) from None
        except Exception as error:  # noqa: BLE001 Pillow's decoders raise anything on a damaged file
            log.info("could not open a picture: %r", error)
            raise damaged from None
    check_size(picture.width, picture.height, name)
    notices: tuple[Notice, ...] = ()
    if getattr(picture, "n_frames", 1) > 1 and picture.format != "MPO":
        notices = (Notice("Only the first frame of “{name}” was used.", {"name": name}),)
    try:
        image = to_srgb(picture, hard)
    except Exception as error:  # noqa: BLE001 as above
        log.info("could not decode a picture: %r", error)
        raise damaged from None
    return Opened(image, notices)


def open_stream(source: str | os.PathLike[str] | bytes | BinaryIO) -> BinaryIO:
    """A binary file for any source but a Pillow image; the file is read at once and closed."""
    if isinstance(source, bytes):
        return io.BytesIO(source)
    if isinstance(source, str | os.PathLike):
        return io.BytesIO(Path(source).read_bytes())
    return source


def check_size(width: int, height: int, name: str) -> None:
    """Raise InputError unless a picture of this many pixels is one we can work on."""
    words = {"name": name, "width": width, "height": height}
    if width * height > MAX_PIXELS:
        raise InputError(
            "“{name}” is {width}×{height} pixels ({megapixels} megapixels). The limit is {limit} "
            "megapixels. Make it smaller and try again.",
            megapixels=round(width * height / 1e6),
            limit=MAX_PIXELS // 10**6,
            **words,
        )
    if min(width, height) < MIN_SIDE:
        raise InputError(
            "“{name}” is only {width}×{height} pixels. The shorter side must be at least {least} "
            "pixels.",
            least=MIN_SIDE,
            **words,
        )
    if max(width, height) > MAX_RATIO * min(width, height):
        raise InputError(
            "“{name}” is {width}×{height} pixels, which is too long and thin. Crop it first.",
            **words,
        )


def to_srgb(picture: Image.Image, hard: bool = False) -> Image.Image:
    """Turn any Pillow image into an upright 8-bit RGB image in sRGB; ``hard`` as above."""
    profile = picture.info.get("icc_profile")
    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I") or picture.mode == "F":
        values = np.asarray(picture, dtype=np.float32)
        # Greyscale with more than 8 bits; a float picture is in [0, 1] unless it says otherwise.
        top = max(float(values.max()), 1.0) if picture.mode == "F" else 65535.0
        picture = Image.fromarray((values / top * 255).clip(0, 255).round().astype(np.uint8))
        profile = None
    alpha = None
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        alpha = picture.getchannel("A")
        picture = picture.convert("RGB")
    elif picture.mode in ("P", "1", "LA", "PA"):
        picture = picture.convert("RGB")
    if profile:
        picture = _from_profile(picture, profile)
    picture = picture.convert("RGB")
    if alpha is not None:
        if hard:
            alpha = alpha.point([0] * 128 + [255] * 128)
        picture = Image.composite(picture, Image.new("RGB", picture.size, "white"), alpha)
    picture.load()
    picture.info = {}
    return picture


def _from_profile(picture: Image.Image, profile: bytes) -> Image.Image:
    """Convert to sRGB by the picture's own profile; a broken or unfit profile is ignored."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(picture, source, target, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        log.info("ignored a colour profile: %r", error)
        return picture
    return converted if converted is not None else picture


def fit(image: Image.Image, longer_side: int) -> Image.Image:
    """Shrink so that the longer side has at most this many pixels; smaller pictures stay.

    The shorter side keeps at least :data:`MIN_SIDE` pixels, which is what the networks need: a
    thin picture is shrunk less.
    """
    scale = max(longer_side / max(image.size), MIN_SIDE / min(image.size))
    if scale >= 1:
        return image
    return resize(image, (round(image.width * scale), round(image.height * scale)))


def resize(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Resample to ``size`` (width, height) in pixels, each at least 1."""
    size = max(1, size[0]), max(1, size[1])
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def to_tensor(image: Image.Image) -> Tensor:
    """Turn an 8-bit RGB picture into a float32 tensor ``(1, 3, H, W)`` in [0, 1]."""
    array = np.asarray(image, dtype=np.float32) / 255
    return torch.from_numpy(array).permute(2, 0, 1)[None].contiguous()


def to_pil(images: Tensor) -> list[Image.Image]:
    """Turn ``(B, 3, H, W)`` in [0, 1] into B pictures; values outside are clamped."""
    return [Image.fromarray(array) for array in _quantise(images, 255, np.uint8)]


def to_png(image: Tensor, bits: int = 8, text: Mapping[str, str] | None = None) -> bytes:
    """Encode ``(3, H, W)`` in [0, 1] as an sRGB PNG of 8 or 16 bits a channel.

    ``text`` goes into the file as UTF-8 text chunks, keyword to words.
    """
    top, kind = (65535, np.uint16) if bits == 16 else (255, np.uint8)
    (array,) = _quantise(image[None], top, kind)
    # OpenCV because Pillow has no 16-bit RGB; it wants BGR.
    done, encoded = cv2.imencode(".png", array[..., ::-1])
    if not done:
        raise RuntimeError(f"OpenCV could not encode a picture of shape {array.shape}")
    data = encoded.tobytes()
    header = 33  # signature and IHDR; ancillary chunks may follow at once
    chunks = b"".join(_text_chunk(key, value) for key, value in (text or {}).items())
    return data[:header] + chunks + data[header:]


def _text_chunk(keyword: str, value: str) -> bytes:
    """An iTXt chunk (PNG specification, third edition, 11.3.3.3), uncompressed."""
    body = b"iTXt" + keyword.encode("latin-1") + b"\0\0\0\0\0" + value.encode()
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


def _quantise(images: Tensor, top: int, kind: type) -> np.ndarray:
    scaled = (images.detach().float().clamp(0, 1) * top).round()
    return scaled.permute(0, 2, 3, 1).cpu().numpy().astype(kind)


def pad(images: Tensor, multiple: int) -> Tensor:
    """Grow ``(B, 3, H, W)`` right and down by reflection until ``multiple`` divides H and W."""
    height, width = images.shape[2:]
    return F.pad(images, (0, -width % multiple, 0, -height % multiple), mode="reflect")
