"""Request bodies of any size into temporary files, hashed on the way."""

import asyncio
import errno
import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from zoo.hub.server.errors import BadRequestError, NoSpaceError, TooLargeError

# Large enough that a thread switch costs nothing beside hashing it, small enough for many
# uploads at once: each holds at most two blocks.
BLOCK_BYTES = 2 << 20


@dataclass(frozen=True)
class Received:
    """A request's body on disk.

    Attributes:
        path: Temporary file; whoever asked for it moves or removes it.
        sha256: Hexadecimal digest of its bytes.
        size: Its length in bytes.
    """

    path: Path
    sha256: str
    size: int


@contextmanager
def disk_full_is_said() -> Iterator[None]:
    """Turn "no space left on device" into an answer that clients do not retry."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise NoSpaceError("The hub's disk is full. Ask its keeper to make room.") from error


def temporary(folder: Path) -> Path:
    """Return a path in ``folder`` that nothing has yet."""
    return folder / secrets.token_hex(16)


async def receive(request: Request, folder: Path, *, limit: int | None = None) -> Received:
    """Write the body of ``request`` to a new file in ``folder``.

    While a worker thread hashes and writes one block, the event loop already takes the next.

    Raises:
        BadRequestError: The connection was cut before the announced end.
        TooLargeError: The body has more than ``limit`` bytes.
        NoSpaceError: The disk is full.
    """
    path = temporary(folder)
    digest = hashlib.sha256()
    size = 0
    try:
        with disk_full_is_said(), path.open("xb") as file:

            def keep(block: bytearray) -> None:
                digest.update(block)
                file.write(block)

            block = bytearray()
            writing: asyncio.Task[None] | None = None
            try:
                async for chunk in request.stream():
                    size += len(chunk)
                    if limit is not None and size > limit:
                        raise TooLargeError("The body is larger than {n} bytes.", n=limit)
                    block += chunk
                    if len(block) >= BLOCK_BYTES:
                        if writing is not None:
                            await writing
                        writing = asyncio.create_task(run_in_threadpool(keep, block))
                        block = bytearray()
            finally:
                # The file may not be closed under the thread that writes to it.
                if writing is not None:
                    await writing
            if block:
                await run_in_threadpool(keep, block)
    except ClientDisconnect:
        path.unlink(missing_ok=True)
        raise BadRequestError("The upload was cut off.") from None
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return Received(path, digest.hexdigest(), size)
