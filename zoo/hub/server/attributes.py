"""Which files are kept as large files (LFS), and which are not committed at all."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from typing import Final, TypeVar

from dulwich.attrs import Pattern, parse_git_attributes
from dulwich.ignore import Pattern as IgnorePattern
from dulwich.ignore import read_ignore_patterns
from dulwich.wildmatch import MalformedPattern

from zoo.hub.server.errors import UnprocessableError

# Beyond this size a file is a large file whatever it is called: git holds every version of every
# file in full, and each clone carries them.
REGULAR_MAX_BYTES: Final = 10 * 1000 * 1000
# A pattern may name one path, and each of its bytes may be escaped.
_MAX_PATTERN = 4096
# Of the processor's time; thousands of files and of patterns take some seconds.
_MAX_SECONDS = 20.0
P = TypeVar("P", Pattern, IgnorePattern)
_LFS = "filter=lfs diff=lfs merge=lfs -text"
_LARGE = (
    "7z arrow avro bin bz2 ckpt ftz gguf gz h5 joblib keras mlmodel model msgpack npy npz onnx ot"
    " parquet pb pickle pkl pt pth rar safetensors tar tflite tgz wasm xz zip zst"
)
DEFAULT_ATTRIBUTES: Final = "".join(
    f"{pattern} {_LFS}\n"
    for pattern in (*(f"*.{suffix}" for suffix in _LARGE.split()), "*.tar.*", "*tfevents*")
).encode()


_STARS = re.compile(rb"\*+")


class _Patterns:
    """Patterns of a file that anybody may have written, and the time they may still take.

    They become regular expressions that try again for every star. Three stars in the longest path
    take a tenth of a second, during which nothing else runs; twenty would take for ever.
    """

    def __init__(self) -> None:
        self._seconds = _MAX_SECONDS

    def _compiled(self, kind: type[P], pattern: bytes) -> P | None:
        """Return a pattern, ``None`` if git would skip it, or if it is one of the slow ones."""
        stars = _STARS.findall(pattern)
        if len(pattern) > _MAX_PATTERN or len(stars) > 3 or sum(len(s) > 1 for s in stars) > 2:
            return None
        with self._timed(), suppress(MalformedPattern, re.error):
            return kind(pattern)
        return None

    @contextmanager
    def _timed(self) -> Iterator[None]:
        if self._seconds < 0:
            raise UnprocessableError(
                "The patterns in “.gitattributes” or “.gitignore” take too long."
            )
        start = time.thread_time()
        yield
        self._seconds -= time.thread_time() - start


class Attributes(_Patterns):
    """The rules of a repository's root ``.gitattributes``."""

    def __init__(self, content: bytes | None) -> None:
        super().__init__()
        self._content = content or b""
        self._rules = [
            (compiled, values[b"filter"])
            for pattern, values in parse_git_attributes(BytesIO(self._content))
            if b"filter" in values and (compiled := self._compiled(Pattern, pattern))
        ]

    def large(self, path: str) -> bool:
        """Say whether git would replace the file by a pointer."""
        found: object = None
        for pattern, value in self._rules:  # the last one counts
            with self._timed():
                if pattern.match(path.encode()):
                    found = value
        return found == b"lfs"

    def with_large(self, paths: list[str]) -> bytes:
        """Return the file's text with rules for ``paths`` added."""
        lines = [self._content]
        if self._content and not self._content.endswith(b"\n"):
            lines.append(b"\n")
        lines += [f"{_pattern(path)} {_LFS}\n".encode() for path in paths]
        return b"".join(lines)


def _pattern(path: str) -> str:
    """Write a path as a pattern that matches it alone."""
    special = "".join(f"\\{c}" if c in "*?[" else c for c in path)
    # A pattern ends at the first space, and git understands character classes.
    plain = special.replace(" ", "[[:space:]]")
    # Without a slash a pattern would match in every folder; and lines that begin with “#” or “!”
    # are no patterns to git.
    return f"/{plain}"


class Ignored(_Patterns):
    """The rules of a ``.gitignore``."""

    def __init__(self, content: bytes | None) -> None:
        super().__init__()
        lines = read_ignore_patterns(BytesIO(content or b""))
        found = (self._compiled(IgnorePattern, line) for line in lines)
        self._rules = [pattern for pattern in found if pattern][::-1]

    def __contains__(self, path: str) -> bool:
        # git ignores what lies in an ignored folder, so each folder above is asked first.
        parts = path.encode().split(b"/")
        return any(
            self._names(b"/".join(parts[:count]), count < len(parts))
            for count in range(1, len(parts) + 1)
        )

    def _names(self, path: bytes, is_folder: bool) -> bool:
        for pattern in self._rules:  # the last one of the file that says anything counts
            with self._timed():
                if pattern.matches(path, is_folder):
                    return pattern.is_exclude
        return False
