"""How long work takes on this machine: measured, never guessed.

On a machine without a GPU people are told beforehand. A short run in the background, when nobody
works, gives the first figure; every finished run replaces it.
"""

import logging
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from space.jobs import Lane
from space.pictures import PAINTINGS, PHOTOS
from zoo.errors import ZooError
from zoo.form import Form, form_of
from zoo.methods import get_method
from zoo.pipeline import Progress, Record
from zoo.runtime import Runtime

log = logging.getLogger(__name__)

SETTLE = 12.0  # seconds after the start before anything is measured: the first page comes first
BUDGET = 15.0  # seconds that one measurement may take
SIZE = 256  # of the photo that is measured: a method in one step cannot give way in the middle
ASPECT = 2 / 3  # of the photo that an estimate is for

Kind = tuple[str, bool]  # a method, and whether it takes as many steps as it is told


class Speed:
    """Seconds for each step and megapixel, by method; apart where it can do with or without steps.

    Args:
        runtime: What is measured.
        lane: Its queue; measuring waits until it is empty and gives way at once.
    """

    def __init__(self, runtime: Runtime, lane: Lane) -> None:
        self._runtime = runtime
        self._lane = lane
        self._rates: dict[Kind, float] = {}
        self._totals: dict[Kind, int] = {}
        self._largest: dict[Kind, float] = {}
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def learn(self, record: Record, total: int) -> None:
        """Take the figure of a finished run of ``total`` steps.

        A smaller run than one seen before says less: more of it is overhead.
        """
        kind = kind_of(record.method, record.settings)
        work = record.width * record.height * total / 1e6
        if work >= self._largest.get(kind, 0):
            self._note(kind, record.seconds, work, total)

    def _note(self, kind: Kind, seconds: float, work: float, total: int) -> None:
        self._rates[kind] = seconds / work
        self._largest[kind], self._totals[kind] = work, total

    def estimate(self, method: str, size: int, steps: int | None = None) -> float | None:
        """Seconds for a photo with a longer side of ``size`` pixels; None until measured.

        ``steps`` is left out where there is no such setting, or it has no effect.
        """
        kind = (method, steps is not None)
        if kind not in self._rates:
            return None
        steps = steps or self._totals[kind]
        return self._rates[kind] * size * size * ASPECT * steps / 1e6

    def start(self, wanted: Mapping[str, dict[str, Any]]) -> None:
        """Measure the methods named, with these inputs, in the background."""
        self._thread = threading.Thread(
            target=self._measure_all, args=(dict(wanted),), name="speed", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End measuring at its next step."""
        self._ending.set()
        if self._thread:
            self._thread.join()

    def _measure_all(self, wanted: dict[str, dict[str, Any]]) -> None:
        while wanted and not self._ending.wait(SETTLE):
            name = next(iter(wanted))
            if kind_of(name, wanted[name]) in self._rates:
                del wanted[name]
            elif self._lane.empty and self._runtime.turn.acquire(blocking=False):
                try:
                    if self._measure(name, wanted[name]):
                        del wanted[name]
                except ZooError as error:
                    log.info("%s was not measured: %s", name, error)
                    del wanted[name]
                finally:
                    self._runtime.turn.release()

    def _measure(self, name: str, inputs: dict[str, Any]) -> bool:
        """One run; False where somebody came and it gave way."""
        pipeline = self._runtime.pipeline(get_method(name).checkpoint)
        first: Progress | None = None
        began = time.perf_counter()
        with closing(pipeline.stream(**inputs)) as stream:  # type: ignore[type-var]
            for progress in stream:
                now = time.perf_counter()
                if self._ending.is_set() or not self._lane.empty:
                    return False
                if first is None:
                    first, first_at = progress, now
                if progress.record or now - began > BUDGET:
                    break
        steps = progress.number - first.number if first else 0
        # The first step also warms up, so it counts only where there is no other.
        seconds, steps = (now - first_at, steps) if steps else (now - began, 1)
        height, width = progress.tensors.shape[2:]
        kind = kind_of(name, inputs)
        self._note(kind, seconds, width * height * steps / 1e6, progress.total)
        log.info("%s: %.2f s for a step and megapixel", name, self._rates[kind])
        return True


def kind_of(method: str, settings: Mapping[str, Any]) -> Kind:
    """Of a run with these settings."""
    steps = form_of(get_method(method).forward).effective("steps", settings)
    return method, steps is not None


def sample_inputs(form: Form) -> dict[str, Any]:
    """Inputs of a short run: example pictures, as few steps as the form allows."""
    examples = {"content": PHOTOS[0].path, "style": PAINTINGS[0].path}
    inputs: dict[str, Any] = {
        field.name: str(examples.get(field.name, PAINTINGS[0].path))
        for field in form
        if field.kind == "picture" and field.required
    }
    if "size" in form.by_name:
        inputs["size"] = SIZE
    if "steps" in form.by_name:
        inputs["steps"] = form.by_name["steps"].low
    return inputs
