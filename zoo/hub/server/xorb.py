"""Xet's two containers, as far as needed to turn them back into files.

A *xorb* is a run of compressed chunks; a *shard* tells, for each file, which chunks of which xorbs
make it up. A chunk has an 8-byte header and at most 128 KiB; a shard is made of 48-byte records.
"""

import hashlib
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import lz4.frame

from zoo.hub.server.errors import UnprocessableError

MAX_XORB_BYTES = 80 << 20
MAX_SHARD_BYTES = 64 << 20

_MAX_CHUNK_BYTES = 128 << 10
_RAW, _LZ4, _LZ4_GROUPED = range(3)
_RECORD = 48
_END = b"\xff" * 32
_HAS_VERIFICATION, _HAS_SHA256 = 1 << 31, 1 << 30


@dataclass(frozen=True)
class Chunk:
    """Where a chunk's payload lies in its xorb, in bytes, and how it is packed."""

    offset: int
    packed: int
    scheme: int
    unpacked: int


@dataclass(frozen=True)
class Segment:
    """A run of chunks ``first``..``end - 1`` of one xorb, ``size`` bytes when unpacked."""

    xorb: str
    first: int
    end: int
    size: int


@dataclass(frozen=True)
class XetFile:
    """One file of a shard: its segments in order, and its sha256 if the sender knew it."""

    sha256: str | None
    segments: list[Segment]


def hash_text(raw: bytes) -> str:
    """Write 32 bytes as Xet does: four little-endian numbers of 16 hex digits each."""
    return "".join(f"{word:016x}" for word in struct.unpack("<4Q", raw))


def chunk_table(path: Path) -> list[Chunk]:
    """Locate the chunks of the xorb at ``path``, reading their headers only.

    Raises:
        UnprocessableError: It is no xorb.
    """
    chunks: list[Chunk] = []
    with path.open("rb") as file:
        end = os.fstat(file.fileno()).st_size
        position = 0
        while position + 8 <= end:
            head = os.pread(file.fileno(), 8, position)
            if head[:7] == b"XETBLOB":  # an optional footer, which says the same again
                break
            packed, unpacked = (int.from_bytes(head[i : i + 3], "little") for i in (1, 5))
            scheme = head[4]
            good = head[0] == 0 and scheme <= _LZ4_GROUPED and unpacked <= _MAX_CHUNK_BYTES
            if not good or packed > 2 * _MAX_CHUNK_BYTES or position + 8 + packed > end:
                raise UnprocessableError("Malformed xorb at byte {n}.", n=position)
            chunks.append(Chunk(position + 8, packed, scheme, unpacked))
            position += 8 + packed
    if not chunks:
        raise UnprocessableError("The xorb has no chunks.")
    return chunks


def unpack(payload: bytes, chunk: Chunk) -> bytes:
    """Return the bytes of one chunk.

    Raises:
        UnprocessableError: The payload is damaged.
    """
    if chunk.scheme != _RAW:
        try:
            # Bounded: a few bytes of LZ4 can claim to stand for gigabytes.
            decompressor = lz4.frame.LZ4FrameDecompressor()
            payload = decompressor.decompress(payload, max_length=chunk.unpacked + 1)
        except RuntimeError as error:
            raise UnprocessableError("Damaged chunk: {error}", error=error) from None
    if len(payload) != chunk.unpacked:
        raise UnprocessableError("Damaged chunk: it has another length than its header says.")
    return _ungroup(payload) if chunk.scheme == _LZ4_GROUPED else payload


def _ungroup(grouped: bytes) -> bytes:
    """Undo the grouping of every fourth byte, which makes floats compress better."""
    size, rest = divmod(len(grouped), 4)
    out = bytearray(len(grouped))
    position = 0
    for phase in range(4):
        count = size + (phase < rest)
        out[phase::4] = grouped[position : position + count]
        position += count
    return bytes(out)


def parse_shard(shard: bytes) -> list[XetFile]:
    """Return the files a shard describes.

    Raises:
        UnprocessableError: It is no shard.
    """
    if len(shard) < _RECORD or not shard.startswith(b"HFRepoMetaData"):
        raise UnprocessableError("This is not a shard.")
    files: list[XetFile] = []
    position = _RECORD

    def record() -> bytes:
        nonlocal position
        if position + _RECORD > len(shard):
            raise UnprocessableError("The shard is cut off.")
        position += _RECORD
        return shard[position - _RECORD : position]

    while (head := record())[:32] != _END:
        flags, count = struct.unpack_from("<II", head, 32)
        segments = []
        for _ in range(count):
            item = record()
            _, size, first, end = struct.unpack_from("<IIII", item, 32)
            segments.append(Segment(hash_text(item[:32]), first, end, size))
        if flags & _HAS_VERIFICATION:
            for _ in range(count):
                record()
        # The sha256 is packed like Xet's own hashes, and so reads as its usual hex digest.
        sha256 = hash_text(record()[:32]) if flags & _HAS_SHA256 else None
        files.append(XetFile(sha256, segments))
    return files


def materialise(file: XetFile, xorb_path: Callable[[str], Path], target: Path) -> tuple[str, int]:
    """Write a file of a shard to ``target``; return its sha256 and size in bytes.

    One chunk is in memory at a time, whatever the size of file and xorbs.

    Args:
        file: What to write.
        xorb_path: Where the xorb of a given hash lies.
        target: Path of the new file.

    Raises:
        UnprocessableError: A xorb is missing or damaged, or the shard does not fit it.
    """
    digest, size = hashlib.sha256(), 0
    tables: dict[str, list[Chunk]] = {}
    with target.open("xb") as out:
        for segment in file.segments:
            path = xorb_path(segment.xorb)
            if not path.is_file():
                raise UnprocessableError("Unknown xorb {hash}.", hash=segment.xorb)
            if segment.xorb not in tables:
                tables.clear()  # segments of one xorb mostly follow each other
                tables[segment.xorb] = chunk_table(path)
            table = tables[segment.xorb]
            if not 0 <= segment.first < segment.end <= len(table):
                raise UnprocessableError("The shard names chunks that its xorb does not have.")
            written = 0
            with path.open("rb") as xorb:
                for chunk in table[segment.first : segment.end]:
                    raw = unpack(os.pread(xorb.fileno(), chunk.packed, chunk.offset), chunk)
                    digest.update(raw)
                    written += out.write(raw)
                    if written > segment.size:
                        break
            if written != segment.size:
                raise UnprocessableError("The shard’s sizes do not fit its xorb.")
            size += written
    return digest.hexdigest(), size
