"""How much memory a piece of work takes on the CPU: how far it makes a fresh process grow.

A process that has worked before holds memory that new work fills without growing, and a server does
many things at once. So the work is done once more, alone, in a process that has only imported what
the work needs; the kernel keeps the highest resident size that it has reached since.
"""

import logging
import pickle
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from zoo import allocator

log = logging.getLogger(__name__)

ROOT = Path(__file__).parents[1]
STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")  # of Linux
TICK = 0.1  # seconds between two looks


def growth(work: Callable[[], object]) -> Iterator[int | None]:
    """Do ``work`` in a fresh process.

    Args:
        work: Can be pickled, and finds all it needs in the modules of this checkout.

    Yields:
        None a few times a second while it goes on; then the growth in bytes, once, where the system
        tells it and the work ended well. Closing the iterator ends the process.
    """
    if not STATUS.is_file():
        return
    with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as answer:
        pickle.dump(work, told)
        told.seek(0)
        command = [sys.executable, "-m", "zoo.memory"]
        with subprocess.Popen(command, stdin=told, stdout=answer, cwd=ROOT) as process:
            try:
                while process.poll() is None:
                    yield None
                    time.sleep(TICK)
            finally:
                process.kill()
        answer.seek(0)
        last = answer.read().split()[-1:]
    if process.returncode or not last:
        log.warning("memory was not measured: the process ended with %s", process.returncode)
        return
    yield int(last[0])


def _resident(name: str) -> int:
    """VmRSS, the resident size now, or VmHWM, the highest so far; in bytes."""
    found = re.search(rf"^{name}:\s+(\d+) kB", STATUS.read_text(), re.MULTILINE)
    if not found:
        raise OSError(f"{STATUS} does not tell {name}")
    return int(found[1]) * 1024


def _measure() -> None:
    allocator.keep_freed()  # as the site and the commands do
    work = pickle.load(sys.stdin.buffer)  # noqa: S301 from :func:`growth`; imports what is needed
    RESET.write_text("5")  # the highest size so far was that of importing
    before = _resident("VmRSS")
    work()
    sys.stdout.write(f"\n{_resident('VmHWM') - before}\n")


if __name__ == "__main__":
    _measure()
