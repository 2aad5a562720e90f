"""Writing files so that a killed process leaves the old one or the new one, never half of one."""

import ctypes
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_AT_CWD, _EXCHANGE = -100, 2  # of renameat2


def write_atomic(path: Path, data: bytes) -> None:
    """Put ``data`` at ``path``: on the disk before it has its name.

    Raises OSError when it cannot be written; what was at ``path`` is then still there.
    """
    # Without the file's own name in it, which may be as long as a name can be.
    handle, name = tempfile.mkstemp(prefix=".partial-", dir=path.parent)
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.chmod(0o644)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def replace_folder(fresh: Path, folder: Path) -> None:
    """Put the folder ``fresh`` in the place of ``folder``, whole, and delete what was there.

    On Linux the two change places in one step. Elsewhere there is a moment in which neither is
    there, but never one in which the files of both are mixed.

    Args:
        fresh: On the same file system as ``folder``, and complete.
        folder: May be missing.

    Raises OSError when it cannot be done; ``folder`` is then as it was.
    """
    if not folder.exists():
        fresh.rename(folder)
        return
    if _exchanged(fresh, folder):
        shutil.rmtree(fresh)
        return
    aside = fresh.with_name(f"{fresh.name}-earlier")
    folder.rename(aside)
    try:
        fresh.rename(folder)
    except OSError:
        aside.rename(folder)
        raise
    shutil.rmtree(aside)


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A fresh folder to fill, which takes the place of ``folder`` at the end, as a whole.

    Where the block raises, ``folder`` stays as it was. Raises what :func:`replace_folder` does.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        yield fresh
        fresh.chmod(0o755)
        replace_folder(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _exchanged(one: Path, other: Path) -> bool:
    """Let two paths change places in one step; False where the system knows no such step."""
    exchange = getattr(ctypes.CDLL(None), "renameat2", None) if os.name == "posix" else None
    if exchange is None:
        return False
    names = os.fsencode(one.absolute()), os.fsencode(other.absolute())
    return exchange(_AT_CWD, names[0], _AT_CWD, names[1], _EXCHANGE) == 0
