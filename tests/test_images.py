"""The door: every odd file comes out as upright sRGB or is refused with clear words."""

import io
import json
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngImageFile

from zoo import images
from zoo.errors import InputError

RED, BLUE = (220, 30, 30), (20, 40, 200)


def two_halves(mode: str = "RGB") -> Image.Image:
    """Red above, blue below, 40×60."""
    picture = Image.new("RGB", (40, 60), RED)
    picture.paste(BLUE, (0, 30, 40, 60))
    return picture.convert(mode)


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def near(picture: Image.Image, at: tuple[int, int], color: tuple[int, ...], within: int) -> bool:
    pixel = picture.getpixel(at)
    assert isinstance(pixel, tuple)
    return max(abs(a - b) for a, b in zip(pixel, color, strict=True)) <= within


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_every_format(kind: str) -> None:
    picture = images.open_picture(saved(two_halves(), kind)).image
    assert (picture.mode, picture.size) == ("RGB", (40, 60))
    assert near(picture, (20, 10), RED, 12)
    assert near(picture, (20, 50), BLUE, 12)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(orientation: int) -> None:
    turned = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    upright = two_halves()
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(upright if turned is None else upright.transpose(turned), "PNG", exif=exif)
    opened = images.open_picture(data).image
    assert opened.tobytes() == upright.tobytes()


def test_alpha_lies_on_white_whatever_hides_below() -> None:
    picture = two_halves("RGBA")
    picture.putalpha(Image.new("L", picture.size, 0))
    assert images.open_picture(saved(picture, "PNG")).image.getpixel((5, 5)) == (255, 255, 255)


def test_palette_with_transparent_color() -> None:
    picture = two_halves().quantize(2)
    clear = picture.getpixel((0, 0))
    opened = images.open_picture(saved(picture, "PNG", transparency=clear)).image
    assert opened.getpixel((5, 5)) == (255, 255, 255)
    assert near(opened, (5, 50), BLUE, 3)


@pytest.mark.parametrize(("mode", "kind"), [("1", "PNG"), ("L", "JPEG"), ("LA", "PNG")])
def test_grey_modes(mode: str, kind: str) -> None:
    opened = images.open_picture(saved(two_halves("L").convert(mode), kind)).image
    r, g, b = opened.split()
    assert r.tobytes() == g.tobytes() == b.tobytes()


def test_cmyk() -> None:
    opened = images.open_picture(saved(two_halves("CMYK"), "JPEG", quality=95)).image
    assert near(opened, (20, 10), RED, 12)


def test_sixteen_bit_grey_is_scaled_not_cut() -> None:
    ramp = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    opened = images.open_picture(saved(Image.fromarray(ramp), "PNG")).image
    grey = np.asarray(opened)[..., 0]
    assert np.abs(grey.astype(int) - np.round(ramp / 65535 * 255)).max() <= 1


def test_sixteen_bit_color_keeps_its_colors() -> None:
    done, data = cv2.imencode(".png", np.full((32, 32, 3), (1000, 30000, 65535), np.uint16))
    assert done
    assert near(images.open_picture(data.tobytes()).image, (3, 3), (255, 117, 4), 1)


def test_profile_is_converted_to_srgb() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    same = images.open_picture(saved(two_halves(), "PNG", icc_profile=srgb)).image
    assert near(same, (20, 10), RED, 1)
    # A profile whose red primary is sRGB's blue and the other way round.
    swapped = srgb.replace(b"rXYZ", b"?XYZ").replace(b"bXYZ", b"rXYZ").replace(b"?XYZ", b"bXYZ")
    other = images.open_picture(saved(two_halves(), "PNG", icc_profile=swapped)).image
    assert near(other, (20, 10), RED[::-1], 8)


def test_damaged_profile_is_ignored() -> None:
    data = saved(two_halves(), "PNG", icc_profile=b"no profile at all" * 20)
    assert images.open_picture(data).image.tobytes() == two_halves().tobytes()


def test_animation_gives_its_first_frame_and_says_so() -> None:
    frames = [two_halves(), Image.new("RGB", (40, 60), "green")]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    opened = images.open_picture(data, "wave.gif")
    assert near(opened.image, (20, 10), RED, 12)
    assert [str(n) for n in opened.notices] == ["Only the first frame of “wave.gif” was used."]


def bomb(width: int, height: int) -> bytes:
    """A PNG whose header promises more than follows."""
    chunks = [b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), b"IDAT" + bytes(9)]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in chunks
    )


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.jpg", b"", "“a.jpg” is empty (0 bytes). Choose another picture."),
        ("a.txt", b"hello world" * 9, "“a.txt” is not a picture we can read. Use a JPEG"),
        ("a.zip", b"PK\3\4" + bytes(99), "“a.zip” is not a picture we can read."),
        ("cut.png", saved(two_halves(), "PNG")[:90], "“cut.png” is damaged"),
        ("big.png", bomb(30000, 30000), "“big.png” is 30000×30000 pixels (900 megapixels). The"),
        ("dot.png", saved(Image.new("RGB", (1, 1)), "PNG"), "“dot.png” is only 1×1 pixels."),
        ("thin.png", saved(Image.new("RGB", (16, 400)), "PNG"), "“thin.png” is 16×400 pixels, wh"),
        ("x" * 200, b"", "“" + "x" * 38 + "…" + "x" * 38 + "” is empty"),
    ],
)
def test_refusals(name: str, data: bytes, words: str) -> None:
    with pytest.raises(InputError) as refused:
        images.open_picture(data, name)
    assert str(refused.value).startswith(words)


def test_bytes_that_look_like_fields_are_only_words() -> None:
    with pytest.raises(InputError, match=r"“\{name\}\{0\}.png” is empty"):
        images.open_picture(b"", "{name}{0}.png")


def test_paths(tmp_path: Path) -> None:
    (tmp_path / "ok.png").write_bytes(saved(two_halves(), "PNG"))
    assert images.open_picture(tmp_path / "ok.png").image.size == (40, 60)
    for path in (tmp_path / "none.png", tmp_path):
        with pytest.raises(InputError, match="cannot be opened"):
            images.open_picture(path)


def test_random_damage_never_escapes() -> None:
    """Flipped bytes in every format: a picture or an InputError, nothing else."""
    rng = np.random.default_rng(0)
    refused = 0
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"):
        whole = saved(two_halves(), kind)
        for _ in range(30):
            data = bytearray(whole)
            for at in rng.integers(0, len(data), 6):
                data[at] = rng.integers(256)
            try:
                picture = images.open_picture(bytes(data[: rng.integers(8, len(data) + 1)])).image
            except InputError:
                refused += 1
            else:
                assert picture.mode == "RGB"
    assert refused > 30


def test_fit_keeps_the_aspect_and_never_enlarges() -> None:
    picture = Image.new("RGB", (600, 401))
    assert images.fit(picture, 300).size == (300, 200)
    assert images.fit(picture, 600) is picture
    assert images.fit(Image.new("RGB", (320, 20)), 16).size == (256, 16)


def test_tensor_round_trip_is_exact() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (20, 31, 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    tensor = images.to_tensor(picture)
    assert tensor.shape == (1, 3, 20, 31)
    assert float(tensor.min()) >= 0
    assert float(tensor.max()) <= 1
    assert images.to_pil(tensor)[0].tobytes() == picture.tobytes()


def test_pad_reflects_right_and_down_only() -> None:
    tensor = torch.rand(1, 3, 17, 23)
    padded = images.pad(tensor, 8)
    assert padded.shape == (1, 3, 24, 24)
    assert torch.equal(padded[..., :17, :23], tensor)
    assert torch.equal(padded[..., 17, :23], tensor[..., 15, :])


def test_png_carries_text_that_pillow_reads() -> None:
    text = {"Software": "Style Zoo", "parameters": json.dumps({"seed": 7, "words": "風格"})}
    tensor = torch.rand(3, 20, 30)
    with Image.open(io.BytesIO(images.to_png(tensor, 8, text))) as picture:
        assert isinstance(picture, PngImageFile)
        picture.load()
        assert picture.text["parameters"] == text["parameters"]
        assert picture.tobytes() == images.to_pil(tensor[None])[0].tobytes()


def test_sixteen_bit_png_holds_sixteen_bits() -> None:
    ramp = torch.linspace(0, 1, 4096).view(1, 64, 64).expand(3, -1, -1)
    data = np.frombuffer(images.to_png(ramp, 16), np.uint8)
    decoded = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    assert decoded is not None
    assert decoded.dtype == np.uint16
    assert len(np.unique(decoded)) == 4096
    wanted = (ramp.permute(1, 2, 0).numpy() * 65535).round()
    assert np.array_equal(decoded[..., ::-1], wanted)
