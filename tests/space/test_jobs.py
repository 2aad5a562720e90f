"""Whose turn it is, and how fast work ends."""

import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from space import status
from space.jobs import BusyError, Finished, Job, Lane, Series, Started, Stopped, Waiting, Working
from tests.space.conftest import wait_until
from zoo.errors import InputError


class Slow:
    """A pipeline of many short steps that remembers how it ended."""

    def __init__(self, steps: int, error: Exception | None = None) -> None:
        self.steps, self.error = steps, error
        self.made = 0
        self.closed = threading.Event()

    def stream(self, **_: Any) -> Iterator[Any]:
        try:
            for number in range(1, self.steps + 1):
                time.sleep(0.01)
                self.made = number
                yield SimpleNamespace(number=self.made, total=self.steps)
            if self.error:
                raise self.error
        finally:
            self.closed.set()


def job_of(lane: Lane, pipeline: Slow, arrived: threading.Event | None = None) -> Job:
    """A job whose checkpoint is here, or will be once it has ``arrived``."""

    def load(_: str, report: Any) -> Slow:
        assert arrived is None or arrived.wait(20)
        return pipeline

    runtime: Any = SimpleNamespace(pipeline=load)
    return Job(lane, runtime, "zoo/slow", {})


@pytest.fixture
def lane() -> Lane:
    return Lane(threading.Lock(), longest=3)


def free(lane: Lane) -> bool:
    if not lane.turn.acquire(timeout=5):
        return False
    lane.turn.release()
    return True


def test_memory_goes_back_once_nobody_has_come_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: list[float] = []
    monkeypatch.setattr("zoo.allocator.give_back", lambda: given.append(time.monotonic()))
    monkeypatch.setattr("space.jobs.REST", 1.0)
    lane = Lane(threading.Lock())
    for _ in range(3):  # frames of a camera
        job_of(lane, Slow(1)).wait(10)
        last = time.monotonic()
    wait_until(lambda: given, "the memory to go back")
    assert given[0] > last + 0.9


def test_a_job_works_and_finishes(lane: Lane) -> None:
    pipeline = Slow(40)
    *way, last = job_of(lane, pipeline).follow()
    assert isinstance(last, Finished)
    assert last.progress.number == 40
    assert any(isinstance(state, Working) for state in way)
    assert free(lane)


class Held(Slow):
    """One whose first step lasts as long as a test needs it to."""

    def __init__(self) -> None:
        super().__init__(1)
        self.enough = threading.Event()

    def stream(self, **_: Any) -> Iterator[Any]:
        assert self.enough.wait(20)
        yield from super().stream()


def test_work_is_told_from_its_beginning(lane: Lane) -> None:
    blocker, pipeline = job_of(lane, Slow(10_000)), Held()
    wait_until(lane.turn.locked, "the other to begin")
    told = ""
    for state in job_of(lane, pipeline).follow():
        if state == Waiting(1):
            blocker.stop()
        if isinstance(state, Started):
            told = status.doing("en", state, "zoo/held")
            pipeline.enough.set()
    assert "<span>Painting with held</span>" in told


def test_stop_is_told_at_once_and_ends_the_engine_at_its_next_step(lane: Lane) -> None:
    pipeline = Slow(10_000)
    job = job_of(lane, pipeline)
    for state in job.follow():
        if isinstance(state, Working):
            began = time.perf_counter()
            job.stop()
        if isinstance(state, Stopped):
            break
    assert time.perf_counter() - began < 0.5
    assert pipeline.closed.wait(1)
    made = pipeline.made
    assert job.wait(1)
    assert pipeline.made == made
    assert free(lane)


def test_closing_the_follower_ends_the_engine(lane: Lane) -> None:
    pipeline = Slow(10_000)
    follower = job_of(lane, pipeline).follow()
    next(follower)
    follower.close()  # type: ignore[attr-defined]
    assert pipeline.closed.wait(2) or pipeline.made == 0
    assert free(lane)


def test_errors_reach_the_follower_and_free_the_lane(lane: Lane) -> None:
    with pytest.raises(InputError, match="too odd"):
        list(job_of(lane, Slow(2, InputError("too odd"))).follow())
    assert free(lane)
    assert lane.empty


def test_one_after_the_other_in_the_order_they_came(lane: Lane) -> None:
    order: list[str] = []
    first = job_of(lane, Slow(60))
    wait_until(lane.turn.locked, "the first to begin")
    second = job_of(lane, Slow(5))
    third = job_of(lane, Slow(5))
    seen: dict[str, list[Any]] = {"second": [], "third": []}

    def follow(name: str, job: Job) -> None:
        for state in job.follow():
            seen.setdefault(name, []).append(state)
        order.append(name)

    threads = [
        threading.Thread(target=follow, args=pair)
        for pair in (("third", third), ("second", second), ("first", first))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert order == ["first", "second", "third"]
    assert Waiting(1) in seen["second"]
    assert Waiting(2) in seen["third"]


def test_a_download_keeps_nobody_waiting(lane: Lane) -> None:
    arrived = threading.Event()
    download = job_of(lane, Slow(5), arrived)
    *_, last = job_of(lane, Slow(5)).follow()
    assert isinstance(last, Finished)
    assert not lane.empty
    arrived.set()
    *_, last = download.follow()
    assert isinstance(last, Finished)


def test_who_came_first_is_next_once_its_download_has_arrived(lane: Lane) -> None:
    arrived, pipeline = threading.Event(), Slow(5)
    download = job_of(lane, pipeline, arrived)
    blocker = job_of(lane, Slow(10_000))
    wait_until(lane.turn.locked, "the second to begin")
    for state in job_of(lane, Slow(5)).follow():
        if state == Waiting(1):
            arrived.set()
        if state == Waiting(2):
            blocker.stop()
        if isinstance(state, Working | Finished):
            assert pipeline.closed.is_set()
    assert download.wait(2)


def test_a_stopped_job_leaves_the_queue(lane: Lane) -> None:
    blocker = job_of(lane, Slow(10_000))
    waiting = job_of(lane, Slow(1))
    waiting.stop()
    assert waiting.wait(2)
    blocker.stop()
    assert blocker.wait(2)
    assert lane.empty


def test_a_full_lane_refuses(lane: Lane) -> None:
    arrived = threading.Event()
    jobs = [job_of(lane, Slow(10_000), arrived) for _ in range(3)]  # those that load count
    with pytest.raises(BusyError):
        job_of(lane, Slow(1))
    arrived.set()
    for job in jobs:
        job.stop()
    assert all(job.wait(2) for job in jobs)


def series_of(lane: Lane, *pipelines: Slow) -> Series:
    runtime: Any = SimpleNamespace(pipeline=lambda name, report: pipelines[int(name)])
    return Series(lane, runtime, [(str(number), {}) for number in range(len(pipelines))])


def test_a_series_finishes_one_run_after_the_other(lane: Lane) -> None:
    pipelines = Slow(3), Slow(4)
    states = list(series_of(lane, *pipelines).follow())
    finished = [(number, s.progress.number) for number, s in states if isinstance(s, Finished)]
    assert finished == [(0, 3), (1, 4)]
    assert lane.empty


def test_a_series_that_is_stopped_between_two_runs_makes_no_other(lane: Lane) -> None:
    pipelines = Slow(3), Slow(10_000)
    series = series_of(lane, *pipelines)
    states = []
    for number, state in series.follow():
        states.append((number, type(state)))
        if isinstance(state, Finished):
            series.stop()
    assert states[-1] == (1, Stopped)
    assert (0, Finished) in states
    assert pipelines[1].made < 10
    assert free(lane)


def test_an_error_ends_a_series(lane: Lane) -> None:
    series = series_of(lane, Slow(1), Slow(1, InputError("No.")), Slow(1))
    seen: list[int] = []
    with pytest.raises(InputError, match="No"):
        seen.extend(number for number, _ in series.follow())
    assert max(seen, default=0) <= 1
