"""Which repository ids, file paths and ref names are acceptable.

Everything here is checked before a name touches git, SQLite or the file system.
"""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from dulwich.refs import Ref, check_ref_format

from zoo.hub.server.errors import BadRequestError, UnprocessableError

KINDS: Final = ("model", "dataset", "space")

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?|[A-Za-z0-9_]")
_PULL = re.compile(r"refs/pr/[1-9][0-9]{0,8}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
MAX_PATH_BYTES: Final = 1024
# These are first words of the hub's own addresses and would hide a user of that name.
_RESERVED = frozenset(
    ("api", "datasets", "spaces", "models", "kernels", "buckets", "static", "collections")
)


def check_namespace(name: str) -> str:
    """Return ``name`` if a user or organisation may be called so."""
    if not _NAME.fullmatch(name) or ".." in name or "--" in name or name.lower() in _RESERVED:
        raise BadRequestError(
            "“{name}” cannot be a user name. Use letters, digits, “-”, “_” and “.”.", name=name
        )
    return name


def check_repo_name(name: str) -> str:
    """Return ``name`` if a repository may be called so (the part after the slash)."""
    bad = not _NAME.fullmatch(name) or ".." in name or "--" in name
    if bad or name.lower().endswith((".git", ".ipynb")):
        raise BadRequestError(
            "“{name}” cannot be a repository name. Use up to 96 letters, digits, “-”, “_” and “.”,"
            " not “--” or “..”, no “-” or “.” at either end, and not the ending “.git”.",
            name=name,
        )
    return name


def split_path(path: object) -> tuple[str, ...]:
    """Split a file path of a commit into its parts.

    Raises:
        UnprocessableError: The path could leave the checkout, or is unsafe on some system.
    """
    if not isinstance(path, str) or not path:
        raise UnprocessableError("A file path is empty.")
    try:
        too_long = len(path.encode()) > MAX_PATH_BYTES
    except UnicodeEncodeError:
        raise UnprocessableError("A file path is not valid Unicode.") from None
    if too_long:
        raise UnprocessableError("A file path is longer than {n} bytes.", n=MAX_PATH_BYTES)
    if "\\" in path or _CONTROL.search(path):
        raise UnprocessableError("“{path}” has a backslash or a control character.", path=path)
    parts = tuple(path.split("/"))
    for part in parts:
        if len(part.encode()) > 255:
            raise UnprocessableError("A part of “{path}” is longer than 255 bytes.", path=path)
        if part in ("", ".", ".."):
            raise UnprocessableError("“{path}” is not a relative file path.", path=path)
        if part.rstrip(" .").lower() == ".git" or part.lower().startswith("git~"):
            raise UnprocessableError("“{path}” would reach into git's own folder.", path=path)
    return parts


def branch_ref(name: str) -> Ref:
    """Return the full ref of branch ``name`` (a ``refs/pr/N`` or ``refs/heads/x`` is kept).

    Raises:
        BadRequestError: No branch can be called so.
    """
    full = name if name.startswith(("refs/heads/", "refs/pr/")) else f"refs/heads/{name}"
    return _checked(full, name)


def tag_ref(name: str) -> Ref:
    """Return the full ref of tag ``name``.

    Raises:
        BadRequestError: No tag can be called so.
    """
    return _checked(name if name.startswith("refs/tags/") else f"refs/tags/{name}", name)


def _checked(full: str, name: str) -> Ref:
    try:
        ref = Ref(full.encode())
    except UnicodeEncodeError:
        raise BadRequestError("That name is not valid Unicode.") from None
    # A ref named like a commit would make every lookup of that commit ambiguous, and what is
    # called a pull request must be one: by its number.
    bad = re.fullmatch(r"refs/[a-z]+/[0-9a-f]{40}", full, re.I) or (
        full.startswith("refs/pr/") and not _PULL.fullmatch(full)
    )
    if bad or len(ref) > 250 or not check_ref_format(ref):
        raise BadRequestError("“{name}” cannot be the name of a branch or tag.", name=name)
    return ref


def unquote(segment: str) -> str:
    """Decode one percent-quoted part of a request's path.

    Raises:
        BadRequestError: It is not valid UTF-8.
    """
    try:
        return unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        raise BadRequestError("The address is not valid UTF-8.") from None
