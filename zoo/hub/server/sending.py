"""Files to clients, in ranges, without a copy through Python where the server allows it."""

import asyncio
import mimetypes
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import quote

import h11
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from zoo.hub.server.errors import RangeError

_EXTENSION = "http.response.zerocopysend"
_CHUNK_BYTES = 1 << 20
_RANGE = re.compile(r"bytes=(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))")
# Served from the site's own address, so no file may act as one of its pages.
_SAFETY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "X-Content-Type-Options": "nosniff",
}


def parse_range(request: Request, size: int, etag: str) -> tuple[int, int] | None:
    """Return the first byte and the number of bytes asked for, ``None`` for the whole file.

    Raises:
        RangeError: The range starts behind the end.
    """
    match = _RANGE.fullmatch(request.headers.get("range", "").replace(" ", ""))
    if match is None:  # none, malformed, or several: RFC 9110 allows to ignore them
        return None
    condition = request.headers.get("if-range")
    if condition is not None and condition.strip('"') != etag:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        start, end = max(size - int(suffix), 0), size
        if int(suffix) == 0:
            start = size
    else:
        start, end = int(first), min(int(last) + 1 if last else size, size)
        if last and int(last) < start:
            return None
    if start >= size:
        raise RangeError(
            "The file has only {size} bytes.",
            headers={"Content-Range": f"bytes */{size}"},
            size=size,
        )
    return start, end - start


def media_type(path: str) -> str:
    """Return the type under which a browser may show a file: pictures and plain text."""
    guess = mimetypes.guess_type(path)[0] or ""
    if guess.startswith(("image/", "video/", "audio/")):
        return guess
    if guess.startswith("text/") or path.rpartition("/")[2].startswith("."):
        return "text/plain; charset=utf-8"
    return "application/json" if guess == "application/json" else "application/octet-stream"


def file_headers(path: str, size: int, etag: str) -> dict[str, str]:
    """Return the headers of a whole file of ``size`` bytes."""
    kind = media_type(path)
    shown = "attachment" if kind == "application/octet-stream" else "inline"
    name = quote(path.rpartition("/")[2], safe="", errors="replace")
    return {
        "Content-Length": str(size),
        "Content-Type": kind,
        "Content-Disposition": f"{shown}; filename*=UTF-8''{name}",
        "ETag": f'"{etag}"',
        "Accept-Ranges": "bytes",
        **_SAFETY,
    }


class RangeResponse(Response):
    """A part of a file, from disk or from any source of chunks.

    Args:
        source: A local file, or an iterator over exactly ``length`` bytes.
        start: First byte to send from a local file.
        length: Number of bytes to send.
        status: 200, or 206 for a part.
        headers: All headers, ``Content-Length`` included.
    """

    def __init__(
        self,
        source: Path | Iterator[bytes],
        start: int,
        length: int,
        *,
        status: int,
        headers: dict[str, str],
    ) -> None:
        self.status_code = status
        self.background = None
        self.source, self.start, self.length = source, start, length
        self.init_headers(headers)

    def init_headers(self, headers: Any = None) -> None:
        """Take the headers as they are: they are complete."""
        self.raw_headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in (headers or {}).items()
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        start = {"type": "http.response.start", "status": self.status_code}
        # The file is opened before the headers go out, so that a lost one is still an error.
        if scope["method"] == "HEAD" or self.length == 0:
            await send({**start, "headers": self.raw_headers})
        elif not isinstance(self.source, Path):
            await send({**start, "headers": self.raw_headers})
            await self._send_chunks(self.source, send)
        else:
            with await run_in_threadpool(self.source.open, "rb", 0) as file:
                await send({**start, "headers": self.raw_headers})
                if _EXTENSION in scope.get("extensions", {}):
                    await send(
                        {
                            "type": _EXTENSION,
                            "file": file,
                            "offset": self.start,
                            "count": self.length,
                        }
                    )
                else:
                    await self._send_chunks(self._chunks(file), send)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _chunks(self, file: BinaryIO) -> Iterator[bytes]:
        file.seek(self.start)
        left = self.length
        while left > 0 and (chunk := file.read(min(_CHUNK_BYTES, left))):
            left -= len(chunk)
            yield chunk

    async def _send_chunks(self, chunks: Iterator[bytes], send: Send) -> None:
        while chunk := await run_in_threadpool(next, chunks, b""):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})


class SendfileProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 protocol with the ASGI extension ``http.response.zerocopysend``.

    The kernel copies the file to the socket; uvicorn itself would take every byte through Python.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        app = self.app

        async def with_sendfile(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and scope["scheme"] == "http":
                scope.setdefault("extensions", {})[_EXTENSION] = {}

            async def send_or_copy(message: Any) -> None:
                if message["type"] == _EXTENSION:
                    await self._copy(message["file"], message["offset"], message["count"])
                else:
                    await send(message)

            await app(scope, receive, send_or_copy)

        self.app = with_sendfile

    async def _copy(self, file: BinaryIO, offset: int, count: int) -> None:
        if self.cycle.disconnected:
            return
        # h11 only counts the bytes; with a Content-Length it adds nothing around them.
        self.conn.send_with_data_passthrough(h11.Data(data=cast("bytes", range(count))))
        try:
            await asyncio.get_running_loop().sendfile(self.transport, file, offset, count)
        except (ConnectionError, RuntimeError):
            # The client went away: close, so that what is left of the answer is not sent.
            self.transport.abort()
            self.cycle.disconnected = True
