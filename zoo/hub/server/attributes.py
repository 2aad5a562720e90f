"""Which files are kept as large files (LFS), and which are not committed at all."""

import posixpath
import re
from contextlib import suppress
from io import BytesIO
from typing import Final

from dulwich.attrs import GitAttributes, Pattern, parse_git_attributes
from dulwich.ignore import IgnoreFilter
from dulwich.wildmatch import MalformedPattern

# Beyond this size a file is a large file whatever it is called: git holds every version of every
# file in full, and each clone carries them.
REGULAR_MAX_BYTES: Final = 10 * 1000 * 1000
_LFS = "filter=lfs diff=lfs merge=lfs -text"
_LARGE = (
    "7z arrow avro bin bz2 ckpt ftz gguf gz h5 joblib keras mlmodel model msgpack npy npz onnx ot"
    " parquet pb pickle pkl pt pth rar safetensors tar tflite tgz wasm xz zip zst"
)
DEFAULT_ATTRIBUTES: Final = "".join(
    f"{pattern} {_LFS}\n"
    for pattern in (*(f"*.{suffix}" for suffix in _LARGE.split()), "*.tar.*", "*tfevents*")
).encode()


class Attributes:
    """The rules of a repository's root ``.gitattributes``."""

    def __init__(self, content: bytes | None) -> None:
        self._content = content or b""
        rules = []
        for pattern, values in parse_git_attributes(BytesIO(self._content)):
            with suppress(MalformedPattern, re.error):  # git skips such lines too
                rules.append((Pattern(pattern), values))
        self._rules = GitAttributes(rules)

    def large(self, path: str) -> bool:
        """Say whether git would replace the file by a pointer."""
        return self._rules.match_path(path.encode()).get(b"filter") == b"lfs"

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


class Ignored:
    """The rules of a ``.gitignore``."""

    def __init__(self, content: bytes | None) -> None:
        self._rules = IgnoreFilter([])
        for pattern in (content or b"").splitlines():
            with suppress(MalformedPattern, re.error):
                self._rules.append_pattern(pattern)

    def __contains__(self, path: str) -> bool:
        # git ignores what lies in an ignored folder, so each folder above is asked too.
        while path:
            if self._rules.is_ignored(path):
                return True
            path = posixpath.dirname(path)
            if path and self._rules.is_ignored(path + "/"):
                return True
        return False
