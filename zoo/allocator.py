"""Where the C library is glibc: keep the memory of one tensor for the next one.

glibc asks the kernel for every large block and hands it back as soon as it is free. The kernel
clears each page of it, so a network that makes the same features again and again pays for them in
page faults: up to a quarter of its time. ``python -m benchmarks.allocator`` measures it.
Elsewhere both functions do nothing.
"""

import ctypes
import platform

# Of malloc.h: blocks from this size on come from the kernel, so much may lie idle at the end, and
# so many pools there are; what one pool keeps would be no use to a thread with another.
MMAP_THRESHOLD, TRIM_THRESHOLD, ARENA_MAX = -3, -1, -8
LARGEST = 2**30  # bytes

_glibc = ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None


def keep_freed() -> None:
    """Let the whole process keep what it frees; best called before the first tensor is made."""
    if _glibc:
        _glibc.mallopt(MMAP_THRESHOLD, LARGEST)
        _glibc.mallopt(TRIM_THRESHOLD, LARGEST)
        _glibc.mallopt(ARENA_MAX, 1)


def give_back() -> None:
    """Hand what lies idle back to the system: some 10 ms for half a gigabyte."""
    if _glibc:
        _glibc.malloc_trim(0)
