import resource
import subprocess
import sys

import pytest

from zoo import allocator

MADE_AGAIN_AND_AGAIN = """
import resource, sys
import torch
from zoo import allocator
if sys.argv[1] == "keep":
    allocator.keep_freed()
for _ in range(16):  # until all blocks are where they will be
    torch.ones(2**23)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(8):
    torch.ones(2**23)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
allocator.give_back()
resident = int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
print(resident)
"""


def faults_and_rest(way: str) -> tuple[int, int]:
    """Page faults of eight tensors of 32 MiB, and what is resident in the end."""
    command = [sys.executable, "-c", MADE_AGAIN_AND_AGAIN, way]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    faults, resident = map(int, told.split())
    return faults, resident


@pytest.mark.skipif(allocator._glibc is None, reason="the C library is not glibc")
def test_what_is_freed_serves_the_next_tensor_and_goes_back_when_asked() -> None:
    pages = 2**25 // resource.getpagesize()
    faults, resident = faults_and_rest("keep")
    assert faults < pages
    _, usual = faults_and_rest("usual")
    assert resident < usual + 2**26
