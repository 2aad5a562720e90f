"""What a figure was measured on, for every benchmark's JSON."""

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from zoo.files import write_atomic

EXAMPLES = Path(__file__).parents[1] / "space" / "examples"
# Elsewhere for a quick look, whose figures no document shall have.
RESULTS = Path(os.environ.get("BENCHMARK_RESULTS") or Path(__file__).parent / "results")


def describe() -> dict[str, Any]:
    """Processor, cores, threads, GPU and versions; no host name, no path."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":", 1)[1].strip() if names else model
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cpu": model,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def measured_here(name: str) -> dict[str, Any]:
    """The results in ``NAME.json`` if this machine has measured them; else nothing."""
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return {}
    found: dict[str, Any] = json.loads(path.read_text())
    today = {"date": found["machine"]["date"]}
    return found if found["machine"] == describe() | today else {}


def save(name: str, results: dict[str, Any]) -> None:
    """Write ``results`` with the machine's description to ``NAME.json`` in :data:`RESULTS`."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"machine": describe()} | results, indent=2, ensure_ascii=False)
    write_atomic(RESULTS / f"{name}.json", f"{text}\n".encode())
