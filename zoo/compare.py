"""Compare methods: the same photo, painting and size for all, and measured figures for each.

A :class:`Bench` holds the pictures and says how to measure; its :meth:`Bench.work` is one
contestant's turn, as a stream of looks, so that a site can show, queue and stop it like any other
work. :func:`compare` does the same for the command line: every photo with every painting.

Time is wall-clock time from the opened pictures to the finished one, after the device has done all
it was given: the median of the runs after a first one that warms up. Loading and downloading are
told apart from it. Memory is the highest that the GPU's allocator had to give during a run, with
the checkpoint's own weights and without what other methods hold; on the CPU it is how far one run,
loading included, makes a fresh process grow. What was not measured is None, never a guess.
"""

import csv
import io
import json
import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Literal

import torch
from PIL import Image

from zoo import checkpoint, images, memory
from zoo.errors import InputError, ZooError
from zoo.images import Source
from zoo.method import Method
from zoo.methods import METHODS, get_method
from zoo.metrics import FIGURES, Reference
from zoo.nn.vgg import vgg19
from zoo.pipeline import VERSION, Pipeline, Progress, form_for
from zoo.runtime import Fetch, Listed, Runtime
from zoo.sheet import Cell, sheet

log = logging.getLogger(__name__)

RUNS = 3  # timed ones, after the first
ALLOCATOR, PROCESS = "GPU allocator", "fresh process"
ACROSS = 4  # cells beside each other in the picture of all


@dataclass(frozen=True, kw_only=True)
class Row:
    """What was measured of one contestant on one photo and painting.

    Args:
        content: What the photo is called.
        style: What the painting is called; "" where the method takes none.
        method: Name of the method.
        checkpoint: Its ``repo_id``.
        painting: Which of its own paintings, where it has learned several.
        revision: Its commit.
        width: Of the result, in pixels.
        height: Likewise.
        seconds: Median of the runs.
        runs: How many there were.
        warm: Whether another run came before them.
        loading: Seconds to download and load; near 0 where it was in memory already.
        memory: Peak in bytes.
        memory_of: What that is the peak of: the GPU's allocator, or a fresh process.
        figures: By the keys of :data:`zoo.metrics.FIGURES`.
        settings: All but the pictures.
        device: Where it ran.
        precision: Of the networks.
        error: Why there is no result, in English.
    """

    content: str = ""
    style: str = ""
    method: str
    checkpoint: str
    painting: str = ""
    revision: str = ""
    width: int = 0
    height: int = 0
    seconds: float | None = None
    runs: int = 0
    warm: bool = False
    loading: float | None = None
    memory: int | None = None
    memory_of: str = ""
    figures: Mapping[str, float | None] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    device: str = ""
    precision: str = ""
    error: str = ""

    def value(self, key: str) -> float | None:
        """A number by the name of its column; None where it was not measured."""
        return self.figures[key] if key in self.figures else getattr(self, key, None)


Task = Literal["painting", "timing", "measuring"]


@dataclass(frozen=True, kw_only=True)
class Look(Progress):
    """One look at a contestant: its pictures, and its row as soon as there is a result."""

    task: Task = "painting"
    row: Row | None = None


@dataclass(frozen=True)
class Entry:
    """A cell of the comparison: what was measured, and the picture where there is one."""

    row: Row
    picture: Image.Image | None = None


def comparable(method: type[Method]) -> bool:
    """Whether a method repaints a photo, with a painting or without."""
    needed = {one.name for one in form_for(method) if one.required}
    return "content" in needed and needed <= {"content", "style"}


def takes_style(method: type[Method]) -> bool:
    """Whether a method needs a painting; one that can do without gets none."""
    return any(one.name == "style" and one.required for one in form_for(method))


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """A checkpoint that takes part, with one of its own paintings where it has learned several.

    Args:
        repo_id: The checkpoint.
        method: What runs it.
        settings: Of the method, where they are not its defaults.
        painting: What that painting is called; "" where there is no choice.
        number: The painting's, as text; "" likewise.
        title: What people read.
    """

    repo_id: str
    method: type[Method]
    settings: Mapping[str, Any] = field(default_factory=dict)
    painting: str = ""
    number: str = ""
    title: str = ""

    @property
    def name(self) -> str:
        """How it is asked for: ``owner/name``, or ``owner/name:2`` with the painting's number."""
        return f"{self.repo_id}:{self.number}" if self.number else self.repo_id


def contestants_of(listed: Listed) -> list[Contestant]:
    """A checkpoint as it can take part: once, or once with each painting that it has learned."""
    method = get_method(listed.method)
    one = Contestant(repo_id=listed.repo_id, method=method)
    look = next((known.name for known in form_for(method) if known.control.looks), "")
    try:
        offers = method.offers(method.Config(**listed.config)).get(look, ())
    except (TypeError, ValueError, AttributeError):  # somebody else's config.json
        offers = ()
    if len(offers) < 2:
        return [one]
    return [
        replace(one, settings={look: value}, painting=word, number=str(value))
        for word, value in offers
    ]


def find(name: str, there: Iterable[Contestant]) -> Contestant | None:
    """Who is called ``name``; a checkpoint's name without a number means its first painting."""
    return next((one for one in there if name in (one.name, one.repo_id)), None)


class Bench:
    """A photo, a painting, and how to measure what is made of them.

    Args:
        content: The photo.
        style: The painting, where a method wants one.
        size: Longer side of the results in pixels; 0 keeps the photo's.
        runs: Timed ones after the first; with 0 the time is that of the first.
        patience: A method whose first run takes more seconds is not run again.
        fetch: Finds checkpoints for a fresh process; without it, memory is not measured on a CPU.

    Raises InputError where a picture cannot be used.
    """

    def __init__(
        self,
        content: Source,
        style: Source | None = None,
        *,
        size: int = 512,
        runs: int = RUNS,
        patience: float = math.inf,
        fetch: Fetch | None = None,
    ) -> None:
        # Opened and scaled once: neither belongs to a method's time.
        self.content = images.open_picture(content).image
        if size:
            self.content = images.fit(self.content, size)
        self.style = images.open_picture(style).image if style is not None else None
        self.size, self.runs, self.patience, self.fetch = size, runs, patience, fetch
        self._references: dict[tuple[Any, ...], Reference] = {}

    def work(self, pipeline: Pipeline, **settings: Any) -> Iterator[Look]:
        """One contestant's turn; closing the iterator ends it.

        Args:
            pipeline: Of a :func:`comparable` method.
            settings: Of the method, where they are not its defaults.

        Yields:
            Looks at the first run; from its end on with a row, whose time, memory and figures get
            there one after another. The last look has all.

        Raises what :meth:`zoo.pipeline.Pipeline.stream` raises.
        """
        inputs = self.inputs(pipeline, settings)
        meter = Meter(pipeline)
        with closing(pipeline.stream(**inputs)) as stream:  # type: ignore[type-var]
            for last in stream:
                yield _look(last, "painting")
        seconds, peak = meter.read()
        record = last.record
        if record is None:
            raise RuntimeError(f"{pipeline.method.name} did not finish")
        row = Row(
            method=record.method,
            checkpoint=record.checkpoint,
            revision=record.revision,
            width=record.width,
            height=record.height,
            seconds=seconds,
            runs=1,
            settings=record.settings,
            device=record.device,
            precision=record.precision,
        )
        yield _look(last, "timing", row)
        if self.runs and seconds <= self.patience:
            meters = []
            for _ in range(self.runs):
                meter = Meter(pipeline)
                with closing(pipeline.stream(**inputs)) as stream:  # type: ignore[type-var]
                    for _again in stream:
                        yield _look(last, "timing", row)
                meters.append(meter.read())
            times, peaks = zip(*meters, strict=True)
            row = replace(row, seconds=median(times), runs=self.runs, warm=True)
            peak = None if peaks[0] is None else max(peaks)
        if peak is not None:
            row = replace(row, memory=peak, memory_of=ALLOCATOR)
        yield _look(last, "measuring", row)
        row = replace(row, figures=self._figures(pipeline, last))
        yield _look(last, "measuring", row)
        if self.fetch and pipeline.device.type == "cpu":
            folder, _ = self.fetch(pipeline.checkpoint, pipeline.revision or "main")
            once = partial(_once, checkpoint.load, folder, inputs)
            with closing(memory.growth(once)) as growing:  # type: ignore[type-var]
                for grown in growing:
                    if grown is not None:
                        row = replace(row, memory=grown, memory_of=PROCESS)
                    yield _look(last, "measuring", row)

    def inputs(self, pipeline: Pipeline, settings: Mapping[str, Any]) -> dict[str, Any]:
        """What the pipeline gets; one picture where a method draws samples."""
        form = pipeline.form.by_name
        found: dict[str, Any] = {"content": self.content, "size": self.size}
        if takes_style(type(pipeline.method)):
            if self.style is None:
                raise InputError("Add a style picture.")
            found["style"] = self.style
        if "samples" in form:
            found["samples"] = 1
        return found | dict(settings)

    def _figures(self, pipeline: Pipeline, last: Progress) -> dict[str, float | None]:
        if last.content is None:
            raise TypeError(f"{pipeline.method.name} takes no photo")
        key = (pipeline.device, *last.content.shape)
        if key not in self._references:
            style = None
            if self.style is not None:
                fitted = images.fit(self.style, max(last.content.shape[2:]))
                style = images.to_tensor(fitted).to(pipeline.device)
            encoder = vgg19(device=pipeline.device)
            self._references[key] = Reference(last.content, encoder, style)
        found = self._references[key].measure(last.tensors[:1])
        if not takes_style(type(pipeline.method)):
            found["style_error_vgg19"] = None  # it has never seen the painting
        return found


class Meter:
    """Time and the allocator's peak from now on, until they are read."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.device = pipeline.device
        self.on_cuda = self.device.type == "cuda"
        weights = pipeline.method.state_dict().values()
        self.own = sum(tensor.numel() * tensor.element_size() for tensor in weights)
        synchronise(self.device)
        if self.on_cuda:
            torch.cuda.reset_peak_memory_stats(self.device)
            self.held = torch.cuda.memory_allocated(self.device)
        self.began = time.perf_counter()

    def read(self) -> tuple[float, int | None]:
        """Seconds, and bytes on a GPU with an allocator that tells."""
        synchronise(self.device)
        seconds = time.perf_counter() - self.began
        if not self.on_cuda:
            return seconds, None
        return seconds, torch.cuda.max_memory_allocated(self.device) - self.held + self.own


def synchronise(device: torch.device) -> None:
    """Wait until the device has done all it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def _once(load: Callable[[Path], Method], folder: Path, inputs: Mapping[str, Any]) -> None:
    """What a fresh process does while its memory is looked at."""
    for _ in Pipeline(load(folder)).stream(**inputs):
        pass


def _look(progress: Progress, task: Task, row: Row | None = None) -> Look:
    return Look(
        number=progress.number,
        total=progress.total,
        tensors=progress.tensors,
        content=progress.content,
        notices=progress.notices,
        record=progress.record,
        task=task,
        row=row,
    )


# ---- many photos, paintings and checkpoints


def chosen(wanted: Iterable[str], runtime: Runtime) -> list[Contestant]:
    """Checkpoints by their own name, or by the name of a method, which means its default.

    Either may be followed by the number of one of its paintings: ``many_styles:2``.

    Raises InputError for what is no method and no checkpoint, or cannot be compared on a photo.
    """
    there = {one.repo_id: one for one in runtime.listing()}
    found: dict[str, Contestant] = {}
    for name in wanted:
        stem, colon, number = name.partition(":")
        repo_id = METHODS[stem].checkpoint if stem in METHODS else stem
        listed = there.get(repo_id)
        if listed is None and stem in METHODS:  # a hub may have it
            listed = Listed(repo_id=repo_id, method=stem)
        one = find(f"{repo_id}{colon}{number}", contestants_of(listed)) if listed else None
        if one is None:
            raise InputError(
                "There is no method or checkpoint “{name}”. Methods are {known}.",
                name=name,
                known=", ".join(key for key, method in METHODS.items() if comparable(method)),
            )
        if not comparable(one.method):
            raise InputError(
                "{method} repaints no photo, so it cannot be compared on one.",
                method=one.method.title,
            )
        found[one.name] = one
    return list(found.values())


def compare(
    runtime: Runtime,
    contestants: Sequence[Contestant],
    contents: Mapping[str, Source],
    styles: Mapping[str, Source],
    *,
    size: int = 512,
    runs: int = RUNS,
    fetch: Fetch | None = None,
) -> Iterator[tuple[Entry, Progress | None]]:
    """Every contestant on every photo, with every painting where it takes one.

    A contestant or a combination that fails has its reason in its row, and the others go on.

    Args:
        runtime: Has the checkpoints.
        contestants: Of them.
        contents: Photos by their names.
        styles: Paintings by their names.
        size: Longer side of the results in pixels; 0 keeps the photo's.
        runs: Timed ones, as for :class:`Bench`.
        fetch: As for :class:`Bench`. Pictures of the same sizes share one measurement of memory.

    Yields:
        Each cell of the comparison as it is done, and the result where there is one.

    Raises InputError where a picture cannot be used.
    """
    photos = {name: images.open_picture(source).image for name, source in contents.items()}
    paintings = {name: images.open_picture(source).image for name, source in styles.items()}
    benches = {
        (content, style): Bench(photos[content], paintings.get(style), size=size, runs=runs)
        for content in contents
        for style in (*styles, "")
    }
    for one in contestants:
        blank = Row(method=one.method.name, checkpoint=one.repo_id, painting=one.painting)
        began = time.perf_counter()
        try:
            pipeline = runtime.pipeline(one.repo_id)
            synchronise(pipeline.device)
        except Exception as error:  # noqa: BLE001 told in its row
            yield Entry(replace(blank, error=_told(error))), None
            continue
        loading: float | None = time.perf_counter() - began
        mine = styles if takes_style(type(pipeline.method)) and styles else ("",)
        peaks: dict[object, dict[str, Any]] = {}  # by the sizes of the pictures
        for content, style in ((c, s) for c in contents for s in mine):
            bench = benches[content, style]
            sizes = bench.content.size, bench.style.size if bench.style else None
            bench.fetch = None if sizes in peaks else fetch
            here = replace(blank, content=content, style=style)
            try:
                with runtime.turn:
                    *_, last = bench.work(pipeline, **one.settings)
            except Exception as error:  # noqa: BLE001 told in its row
                yield Entry(replace(here, error=_told(error))), None
                continue
            if last.row is None:
                raise RuntimeError(f"{one.name} was not measured")
            row = replace(
                last.row, content=content, style=style, painting=one.painting, loading=loading
            )
            if row.memory is not None:
                peaks[sizes] = {"memory": row.memory, "memory_of": row.memory_of}
            yield Entry(replace(row, **peaks.get(sizes, {})), last.pictures()[0]), last
            loading = None  # of the first only


def _told(error: Exception) -> str:
    """What a row says of an error; one that is nobody's mistake also goes into the log."""
    if isinstance(error, ZooError):
        return str(error)
    log.error("a method failed", exc_info=error)
    return f"{type(error).__name__}: {error}"


# ---- tables


def ranked(rows: Iterable[Row], key: str = "seconds") -> list[Row]:
    """Rows by a column, smallest first; what was not measured comes last."""

    def place(row: Row) -> tuple[bool, float]:
        value = row.value(key)
        return value is None, value or 0.0

    return sorted(rows, key=place)


def plain(row: Row) -> dict[str, Any]:
    """A row as one flat record, for tables."""
    units = {"loading": "loading_seconds", "memory": "memory_bytes"}
    cells = {units.get(name, name): value for name, value in asdict(row).items()}
    figures, settings, error = (cells.pop(name) for name in ("figures", "settings", "error"))
    return (
        cells
        | {figure.key: figures.get(figure.key) for figure in FIGURES}
        | {"settings": json.dumps(settings, ensure_ascii=False), "error": error}
    )


def to_csv(rows: Sequence[Row]) -> str:
    """Rows as CSV with a head; nothing where nothing was measured."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(plain(rows[0])) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(plain(row) for row in rows)
    return stream.getvalue()


def to_json(rows: Sequence[Row]) -> str:
    """Rows as JSON, with what the figures stand on and what they were measured with."""
    told = {
        "version": VERSION,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "figures": [asdict(figure) for figure in FIGURES],
        "rows": [asdict(row) for row in rows],
    }
    return json.dumps(told, ensure_ascii=False, indent=2) + "\n"


# ---- one picture of all


def picture(
    entries: Sequence[Entry],
    contents: Mapping[str, Image.Image],
    styles: Mapping[str, Image.Image],
) -> Image.Image:
    """All results as one picture, each under its method, with what they were made of.

    One photo and at most one painting stand beside the results. Else each contestant has a grid of
    its own, a photo in each row and a painting above each column.

    Args:
        entries: The cells, in the order of the contestants.
        contents: Photos by the names in the rows.
        styles: Paintings likewise.
    """
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.row.checkpoint, entry.row.painting), []).append(entry)
    alone = len(contents) == 1 and len(styles) <= 1
    blocks = []
    if alone:
        (content,) = contents.values()
        blocks = [("Photo", [[Cell(content)]])]
        as_high = content.height / content.width
        blocks += [("Style picture", [[Cell(one, highest=as_high)]]) for one in styles.values()]
    for names, group in groups.items():
        method = METHODS.get(group[0].row.method)
        title = " · ".join(filter(None, (method.title if method else group[0].row.method, *names)))
        found = {(one.row.content, one.row.style): one for one in group}
        mine = [name for name in styles if any(one.row.style == name for one in group)]
        rows = []
        if mine and not alone:
            rows.append([Cell(), *(Cell(styles[name], highest=1) for name in mine)])
        for name, content in contents.items():
            made = [found.get((name, style), group[0]) for style in mine or [""]]
            cells = [Cell(one.picture, _caption(one.row)) for one in made]
            rows.append(cells if alone else [Cell(content), *cells])
        blocks.append((title, rows))
    return sheet(blocks, across=ACROSS if alone else max(1, ACROSS // (1 + len(styles))))


def _caption(row: Row) -> str:
    if row.error or row.seconds is None:
        return row.error
    words = f"{row.seconds:.2f} s"
    return words if row.memory is None else f"{words} · {row.memory / 1e6:.0f} MB"
