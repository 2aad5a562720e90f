"""One device, many visitors: whose turn it is, and work that can be stopped at once.

Gradio closes a generator at its next ``yield`` and never interrupts a plain function. So the work
runs in a thread of its own, which holds the runtime's turn, while the generator that Gradio sees
looks at it a few times a second: it ends within :data:`TICK` of a click on Stop or of a closed
page, and the engine ends at its next step.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from zoo import allocator
from zoo.errors import ZooError
from zoo.hub.cache import Transfer
from zoo.pipeline import Pipeline, Progress
from zoo.runtime import Runtime

TICK = 0.2  # seconds between two looks
LONGEST_QUEUE = 32
REST = 2.0  # seconds without work before memory goes back; a camera's next frame comes sooner


class BusyError(ZooError):
    """Too many people wait already."""


class Lane:
    """First come, first served, in front of the device; who still loads keeps nobody waiting.

    Args:
        turn: Held while the device is in use, also by others than the site.
        longest: How many may wait.
    """

    def __init__(self, turn: threading.Lock, longest: int = LONGEST_QUEUE) -> None:
        self.turn = turn
        self.longest = longest
        self._ready: dict[object, bool] = {}  # by ticket, in the order they came
        self._changing = threading.Lock()
        self._resting = threading.Timer(REST, allocator.give_back)

    def join(self) -> object:
        """Take a ticket; raises BusyError when the lane is full."""
        ticket = object()
        with self._changing:
            if len(self._ready) >= self.longest:
                raise BusyError("Too many people are waiting at the moment. Try again later.")
            self._ready[ticket] = False
            self._resting.cancel()
        return ticket

    def ready(self, ticket: object) -> None:
        """Everything is loaded: from now on those behind this ticket wait for it."""
        with self._changing:
            self._ready[ticket] = True

    def ahead(self, ticket: object) -> int:
        """How many that came before this ticket are ready or at work."""
        with self._changing:
            before = takewhile(lambda other: other is not ticket, self._ready)
            return sum(self._ready[other] for other in before)

    def enter(self, ticket: object) -> bool:
        """Wait one tick for the turn; True once it is this ticket's."""
        if self.ahead(ticket):
            time.sleep(TICK)
            return False
        return self.turn.acquire(timeout=TICK)

    def leave(self, ticket: object, entered: bool) -> None:
        """Give the turn and the ticket back."""
        if entered:
            self.turn.release()
        with self._changing:
            del self._ready[ticket]
            if not self._ready:
                self._resting = threading.Timer(REST, allocator.give_back)
                self._resting.daemon = True
                self._resting.start()

    @property
    def empty(self) -> bool:
        """Whether nobody loads, works or waits."""
        with self._changing:
            return not self._ready


@dataclass(frozen=True)
class Waiting:
    """Others are at work; ``ahead`` of them come first."""

    ahead: int


@dataclass(frozen=True)
class Loading:
    """The checkpoint is on its way to the device, or still to this machine by ``transfer``."""

    transfer: Transfer | None = None


@dataclass(frozen=True)
class Started:
    """The work has begun; a method in one step has nothing else to tell until its end."""


@dataclass(frozen=True)
class Working:
    """The latest look at the work, and seconds since it began."""

    progress: Progress
    seconds: float


@dataclass(frozen=True)
class Finished:
    """The result, and the seconds that getting the checkpoint ready took before."""

    progress: Progress
    loading: float


@dataclass(frozen=True)
class Stopped:
    """Somebody asked for the end."""


State = Waiting | Loading | Started | Working | Finished | Stopped


class _EndedError(Exception):
    """Nobody waits for the download any more."""


class Job:
    """One run of one checkpoint.

    Args:
        lane: Where to queue.
        runtime: Has the checkpoints.
        repo_id: Which one.
        inputs: What :meth:`zoo.pipeline.Pipeline.stream` takes.
        work: Done instead of that, with the pipeline and ``inputs``.

    Raises BusyError when the lane is full.
    """

    def __init__(
        self,
        lane: Lane,
        runtime: Runtime,
        repo_id: str,
        inputs: dict[str, Any],
        work: Callable[..., Iterator[Progress]] | None = None,
    ) -> None:
        self._lane = lane
        self._load: Callable[[], Pipeline] = lambda: runtime.pipeline(
            repo_id, report=self._arriving
        )
        self._inputs = inputs
        self._other_work = work
        self._ticket = lane.join()
        self._stopped = threading.Event()
        self._news = threading.Condition()
        self._state: State = Loading()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._work, name=f"job {repo_id}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the work at its next step; whoever follows it is told at once."""
        self._stopped.set()
        with self._news:
            self._news.notify_all()

    def wait(self, timeout: float) -> bool:
        """Wait for the thread to end; False where it has not after ``timeout`` seconds."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def follow(self) -> Iterator[State]:
        """Yield the state at least every tick, until it is Finished or Stopped.

        Raises what the work raises. Closing the iterator stops the work.
        """
        try:
            while True:
                with self._news:
                    self._news.wait(TICK)
                    state, error = self._state, self._error
                if error is not None:
                    raise error
                if self._stopped.is_set() and not isinstance(state, Finished):
                    yield Stopped()
                    return
                yield state
                if isinstance(state, Finished):
                    return
        finally:
            self.stop()

    def _tell(self, state: State) -> None:
        with self._news:
            self._state = state
            self._news.notify_all()

    def _arriving(self, transfer: Transfer) -> None:
        if self._stopped.is_set():
            raise _EndedError
        self._tell(Loading(transfer if transfer.done < transfer.total else None))

    def _work(self) -> None:
        entered = False
        try:
            began = time.perf_counter()
            pipeline = self._load()
            loading = time.perf_counter() - began
            self._lane.ready(self._ticket)
            while not self._stopped.is_set() and not (entered := self._lane.enter(self._ticket)):
                self._tell(Waiting(max(1, self._lane.ahead(self._ticket))))
            if entered:
                self._run(pipeline, loading)
        except _EndedError:
            pass  # what has arrived stays, and the next download goes on from there
        except Exception as error:  # noqa: BLE001 handed to whoever follows
            with self._news:
                self._error = error
                self._news.notify_all()
        finally:
            self._lane.leave(self._ticket, entered)

    def _run(self, pipeline: Pipeline, loading: float) -> None:
        self._tell(Started())
        began = time.perf_counter()
        last: Progress | None = None
        if self._other_work:
            working = self._other_work(pipeline, **self._inputs)
        else:
            working = pipeline.stream(**self._inputs)
        with closing(working) as stream:  # type: ignore[type-var]
            for last in stream:
                if self._stopped.is_set():
                    return
                self._tell(Working(last, time.perf_counter() - began))
        if last is not None:
            self._tell(Finished(last, loading))


class Series:
    """Runs one after another, each with a place of its own in the lane, and stopped together.

    Args:
        lane: Where to queue.
        runtime: Has the checkpoints.
        tasks: The checkpoint and the inputs of each run, in this order.
    """

    def __init__(
        self, lane: Lane, runtime: Runtime, tasks: Sequence[tuple[str, dict[str, Any]]]
    ) -> None:
        self._lane, self._runtime, self._tasks = lane, runtime, tasks
        self._stopped = threading.Event()
        self._job: Job | None = None

    def stop(self) -> None:
        """End the run under way, and start none after it."""
        self._stopped.set()
        if self._job:
            self._job.stop()

    def follow(self) -> Iterator[tuple[int, State]]:
        """Yield the number of the run and its state, as :meth:`Job.follow` does for each.

        Ends with the last run that is Finished, or the first that is Stopped. Raises what a run
        raises, and BusyError where there is no place in the lane for one.
        """
        try:
            for number, (repo_id, inputs) in enumerate(self._tasks):
                self._job = Job(self._lane, self._runtime, repo_id, inputs)
                if self._stopped.is_set():  # between two runs
                    self._job.stop()
                for state in self._job.follow():
                    yield number, state
                    if isinstance(state, Stopped):
                        return
        finally:
            self.stop()
