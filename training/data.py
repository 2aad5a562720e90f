"""Pictures for training: decoded once, then read from a memory-mapped file.

A pack is a folder of two files: ``pixels.u8``, the pictures one after another as RGB bytes, and
``index.json``, which names each picture with its place, size and content hash. Epochs cost no
decoding, several processes share one copy in the page cache, and a pack works without the pictures
it was made of.

Batches are a pure function of the seed and the position in the data, so a resumed run sees exactly
what the uninterrupted one would have seen, and two processes with half a batch each see what one
process with the whole batch sees.
"""

import errno
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from zoo import images
from zoo.errors import DiskFullError, InputError

log = logging.getLogger(__name__)

INDEX, PIXELS = "index.json", "pixels.u8"
ORIGINALS = "originals.json"  # beside copies of pictures: digests of what they are copies of
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"}
VERSION = 1  # of the layout; part of the key of a cached pack


@dataclass(frozen=True)
class Entry:
    """One picture of a pack: where it lies and what it was made of."""

    name: str
    sha256: str
    offset: int
    height: int
    width: int


class Pack:
    """Pictures in a memory-mapped file.

    Args:
        folder: Made by :func:`pack`.

    Raises:
        InputError: The folder is no pack, or its parts do not fit together.
    """

    def __init__(self, folder: Path) -> None:
        try:
            index = json.loads((folder / INDEX).read_text())
            self.name: str = index["name"]
            self.size: int = index["size"]
            self.digest: str = index["digest"]
            self.entries = [Entry(**entry) for entry in index["entries"]]
            self.pixels = np.memmap(folder / PIXELS, np.uint8, "r")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                "{folder} is no pack of pictures, or a damaged one ({reason}). Make it again.",
                folder=folder,
                reason=error,
            ) from error
        last = self.entries[-1]
        if self.pixels.size != last.offset + last.height * last.width * 3:
            raise InputError(
                "{folder} is damaged: {file} has not the size that {index} says. Make it again.",
                folder=folder,
                file=PIXELS,
                index=INDEX,
            )

    def __len__(self) -> int:
        return len(self.entries)

    def picture(self, number: int) -> np.ndarray:
        """Picture ``number`` as ``(H, W, 3)`` bytes, a view into the file."""
        entry = self.entries[number]
        end = entry.offset + entry.height * entry.width * 3
        return self.pixels[entry.offset : end].reshape(entry.height, entry.width, 3)

    def tensors(self, count: int, multiple: int = 8) -> list[Tensor]:
        """At most ``count`` pictures, evenly spread, ``(1, 3, H, W)`` in [0, 1] each.

        Args:
            count: How many.
            multiple: Divides H and W; the rest is cut off.
        """
        chosen = []
        for number in list(range(0, len(self), max(1, len(self) // count)))[:count]:
            pixels = self.picture(number)
            height, width = (side // multiple * multiple for side in pixels.shape[:2])
            cut = torch.tensor(pixels[:height, :width])
            chosen.append(cut.permute(2, 0, 1)[None].float() / 255)
        return chosen

    def crop(self, position: int, size: int, seed: int) -> np.ndarray:
        """The ``position``-th crop of an endless shuffled stream, ``(size, size, 3)`` bytes.

        Every picture comes once an epoch, in an order of that epoch; where its square lies and
        whether it is mirrored depend on the seed and the position alone. A picture smaller than
        the crop is enlarged.
        """
        epoch, place = divmod(position, len(self))
        picture = self.picture(int(order(len(self), seed, epoch)[place]))
        random = np.random.default_rng((seed, position))
        side = min(size, *picture.shape[:2])
        top = random.integers(picture.shape[0] - side + 1)
        left = random.integers(picture.shape[1] - side + 1)
        square = picture[top : top + side, left : left + side]
        if random.random() < 0.5:
            square = square[:, ::-1]
        if side == size:
            return square
        enlarged = images.resize(Image.fromarray(square), (size, size))
        return np.asarray(enlarged)


@lru_cache(maxsize=16)
def order(count: int, seed: int, epoch: int) -> np.ndarray:
    """A permutation of ``count`` pictures for one epoch."""
    return np.random.default_rng((seed, epoch, count)).permutation(count)


class Stream:
    """Batches of one pack for one process, the next one made while this one is used.

    Args:
        pack: Where the pictures come from.
        size: Side of the crops in pixels.
        batch_size: Crops a batch, for this process.
        seed: Different for every stream of a run.
        process: Number of this process.
        processes: How many share the stream; a global batch is theirs side by side.
    """

    def __init__(
        self, pack: Pack, size: int, batch_size: int, seed: int, process: int, processes: int
    ) -> None:
        self.pack, self.size, self.batch_size, self.seed = pack, size, batch_size, seed
        self.process, self.processes = process, processes
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="crops")
        self._next: tuple[int, Future[Tensor]] | None = None

    def batch(self, step: int) -> Tensor:
        """Batch of the ``step``-th step: ``(B, 3, size, size)`` uint8, channels last."""
        first = (step * self.processes + self.process) * self.batch_size
        batch = self.crops(first, self.batch_size)
        return batch.pin_memory() if torch.cuda.is_available() else batch

    def crops(self, first: int, count: int) -> Tensor:
        """Crops from position ``first`` of the stream on, as :meth:`batch` gives them."""
        crops = [self.pack.crop(first + i, self.size, self.seed) for i in range(count)]
        return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2)

    def __call__(self, step: int) -> Tensor:
        """As :meth:`batch`, and start on the following one."""
        ready = self._next if self._next and self._next[0] == step else None
        batch = ready[1].result() if ready else self.batch(step)
        self._next = step + 1, self._worker.submit(self.batch, step + 1)
        return batch


def open_pack(folder: Path, size: int, packs: Path, least: int = 1) -> Pack:
    """Open a folder of pictures, decoding it into ``packs`` unless that was done before.

    Args:
        folder: Pictures, at any depth; or a pack, which is used as it is.
        size: Shorter side in pixels that larger pictures are shrunk to.
        packs: Where packs are kept, by the content of the pictures.
        least: How many pictures there must be.

    Raises:
        InputError: The folder is missing, unreadable or holds too few pictures, or it is a pack of
            another size.
        DiskFullError: There is no room for the pack.
    """
    if (folder / INDEX).is_file():
        found = Pack(folder)
        if found.size != size:
            raise InputError(
                "{folder} is a pack of pictures of {made} pixels, and {size} are asked for. Pack "
                "them with --size {size}, or set --load-size to {made}.",
                folder=folder,
                made=found.size,
                size=size,
            )
    else:
        paths = pictures_in(folder)
        with ThreadPoolExecutor() as pool:
            hashes = list(pool.map(content_hash, paths))
        whole = hashlib.sha256(f"{VERSION} {size}".encode())
        known = originals(folder)
        for path, digest in zip(paths, hashes, strict=True):
            name = path.relative_to(folder).as_posix()
            whole.update(f"{name}\0{digest}{known.get(name, '')}\n".encode())
        kept = packs / f"{folder.resolve().name}-{size}-{whole.hexdigest()[:16]}"
        if not (kept / INDEX).is_file():
            pack(folder, kept, size)
        found = Pack(kept)
    if len(found) < least:
        raise InputError(
            "{folder} holds {count} usable pictures; this training needs at least {least}.",
            folder=folder,
            count=len(found),
            least=least,
        )
    return found


def pack(folder: Path, out: Path, size: int) -> Pack:
    """Decode every picture in ``folder`` into a new pack, whole or not at all.

    Broken pictures are skipped, each with a warning that names it. Arguments and errors are those
    of :func:`open_pack`; InputError also when ``out`` is there already and is no pack.
    """
    if out.exists() and not (out / INDEX).is_file():
        raise InputError("{out} is there already and is no pack; choose another name.", out=out)
    replaced = out.exists()
    paths = pictures_in(folder)
    fresh: Path | None = None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
        entries = list(_write_pixels(folder, paths, size, fresh / PIXELS))
        if not entries:
            raise InputError(
                "None of the {count} pictures in {folder} can be used; the log says why.",
                count=len(paths),
                folder=folder,
            )
        # The same pictures under other names, or in another order, are the same data.
        digest = hashlib.sha256("".join(sorted(e.sha256 for e in entries)).encode()).hexdigest()
        index = {
            "version": VERSION,
            "name": folder.resolve().name,
            "size": size,
            "digest": digest,
            "entries": [asdict(entry) for entry in entries],
        }
        (fresh / INDEX).write_text(json.dumps(index))
        fresh.chmod(0o755)
        if replaced:
            shutil.rmtree(out)
        try:
            fresh.rename(out)
        except OSError as error:
            # Another process made it meanwhile, and may be reading it already.
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
    except OSError as error:
        raise DiskFullError(
            "The decoded pictures could not be written to {out}: {reason}.",
            out=out,
            reason=error.strerror,
        ) from error
    finally:
        if fresh is not None:
            shutil.rmtree(fresh, ignore_errors=True)
    log.info("packed %d of %d pictures of %s", len(entries), len(paths), folder)
    return Pack(out)


def pictures_in(folder: Path) -> list[Path]:
    """The files in ``folder``, at any depth, that are named like pictures, in order of names.

    Raises InputError when the folder is missing, unreadable or has none.
    """
    try:
        if not folder.is_dir():
            raise InputError("There is no folder {folder}. Check the path.", folder=folder)
        with os.scandir(folder):
            pass  # rglob is silent about a folder that may not be read
    except PermissionError:
        raise InputError(
            "The folder {folder} cannot be read. Check its permissions.", folder=folder
        ) from None
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if not paths:
        raise InputError("{folder} holds no pictures.", folder=folder)
    return paths


def originals(folder: Path) -> dict[str, str]:
    """Digests by name of what the pictures in a folder of copies were made of; of others, none.

    Raises InputError when the file that says so is damaged.
    """
    place = folder / ORIGINALS
    try:
        told = json.loads(place.read_text()) if place.exists() else {}
        return {str(name): str(digest) for name, digest in told.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(
            "{place} is damaged ({reason}). Copy the pictures again.", place=place, reason=error
        ) from error


def content_hash(path: Path) -> str:
    """SHA-256 of a file in hex; empty for one that cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def shrunk(path: Path, size: int) -> Image.Image:
    """The picture in a file, its shorter side at most ``size`` pixels.

    Raises InputError when there is none that can be used.
    """
    picture = images.open_picture(path).image
    scale = size / min(picture.size)
    if scale >= 1:
        return picture
    return images.resize(picture, (round(picture.width * scale), round(picture.height * scale)))


def _write_pixels(folder: Path, paths: list[Path], size: int, out: Path) -> Iterator[Entry]:
    """Write the usable pictures to ``out`` one by one, yielding where each went."""

    known = originals(folder)

    def decode(path: Path) -> tuple[str, np.ndarray] | InputError:
        try:
            picture = shrunk(path, size)
        except InputError as error:
            return error
        name = path.relative_to(folder).as_posix()
        return known.get(name) or content_hash(path), np.asarray(picture)

    offset = 0
    with out.open("wb") as file, ThreadPoolExecutor() as pool:
        for start in range(0, len(paths), 64):  # at a time, for the whole need not fit in memory
            some = paths[start : start + 64]
            for path, decoded in zip(some, pool.map(decode, some), strict=True):
                name = path.relative_to(folder).as_posix()
                if isinstance(decoded, InputError):
                    log.warning("skipped %s: %s", name, decoded)
                    continue
                digest, pixels = decoded
                file.write(pixels.tobytes())
                yield Entry(name, digest, offset, pixels.shape[0], pixels.shape[1])
                offset += pixels.size
        file.flush()
        os.fsync(file.fileno())
