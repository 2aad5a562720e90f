"""Methods that take turns on the same pictures, each with a place of its own in the lane.

A board is what the site knows of such a comparison: a cell for each method, which fills as its work
goes on.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal

from PIL import Image

from space import status
from space.jobs import Finished, Job, Started, State, Stopped, Working
from space.pictures import at_hand
from space.results import Result, fresh, save
from space.site import Site
from space.words import say, tell
from zoo.compare import (
    Bench,
    Contestant,
    Entry,
    Look,
    Row,
    comparable,
    contestants_of,
    find,
    picture,
    takes_style,
    to_csv,
    to_json,
)
from zoo.errors import InputError, ZooError
from zoo.method import Content, Method, Style
from zoo.methods import METHODS
from zoo.runtime import Listed

USUAL = ("many_styles", "johnson", "adain")  # picked at first: quick, and of different kinds
FILES = {"png": "compare.png", "csv": "compare.csv", "json": "compare.json"}
DOT = " · "  # between the parts of a title
MOST = 6  # contestants; each has to wait for its turn again
RUNS, PATIENCE = 3, 3.0  # timed runs; a method whose first takes more seconds is timed by that


def pictures(content: Content, style: Style) -> None:
    """What all methods get."""


@dataclass(frozen=True)
class Cell:
    """What is known of a method in a comparison."""

    one: Contestant
    place: Literal["waiting", "working", "done", "failed", "stopped"] = "waiting"
    preview: str = ""
    result: Result | None = None
    row: Row | None = None
    message: str = ""

    @property
    def measured(self) -> bool:
        """Whether there is something to tell: a result, or why there is none."""
        return self.row is not None or self.place == "failed"

    @property
    def counted(self) -> Row:
        """Its row in the table; where there is no result, with the reason."""
        one = self.one
        return self.row or Row(
            method=one.method.name,
            checkpoint=one.repo_id,
            painting=one.painting,
            error=self.message,
        )

    @property
    def entry(self) -> Entry:
        """Its row, and its picture."""
        if self.result is None:
            return Entry(self.counted)
        with Image.open(self.result.files[0]) as opened:
            return Entry(self.counted, opened.convert("RGB"))


Board = tuple[Cell, ...]


def contestants(site: Site) -> list[Contestant]:
    """Every checkpoint of every method that repaints a photo, with all its paintings, now.

    Settings are those that the method's tab here has at first.
    """
    found = []
    for tab in site.tabs:
        method = METHODS[tab.name]
        if not comparable(method):
            continue
        steps = tab.form.by_name.get("steps")
        settings = {"steps": steps.default} if steps else {}
        there = site.runtime.checkpoints(tab.name)
        for listed, title in zip(there, titles(method, there), strict=True):
            found += [
                replace(
                    one,
                    title=DOT.join(filter(None, (title, one.painting))),
                    settings=settings | dict(one.settings),
                )
                for one in contestants_of(listed)
            ]
    return found


def sorted_out(there: Sequence[Contestant]) -> tuple[list[Contestant], list[Contestant]]:
    """Every checkpoint once, with the first of its paintings; and with all its others."""
    firsts = [one for one in there if find(one.repo_id, there) is one]
    return firsts, [one for one in there if one not in firsts]


def called(language: str, one: Contestant) -> str:
    """The title of a contestant in ``language``, as far as its parts are known there."""
    return DOT.join(say(language, part) for part in one.title.split(DOT))


def titles(method: type[Method], there: Sequence[Listed]) -> list[str]:
    """What checkpoints of a method are called: by their style, where they have one of their own."""
    if len(there) == 1:
        return [method.title]
    found = []
    for listed in there:
        own = status.short(listed.repo_id).removeprefix(method.name.replace("_", "-")).lstrip("-")
        with suppress(TypeError, ValueError, AttributeError):  # somebody else's config.json
            own = method.style_of(method.Config(**listed.config)) or own
        found.append(f"{method.title}{DOT}{own}" if own else method.title)
    return [
        title if found.count(title) == 1 else f"{method.title}{DOT}{status.short(listed.repo_id)}"
        for title, listed in zip(found, there, strict=True)
    ]


def usual(there: Sequence[Contestant]) -> list[str]:
    """The names of those that are picked at first."""
    names = [METHODS[name].checkpoint for name in USUAL if name in METHODS]
    return known(names, there) or [there[0].name]


def known(wanted: Iterable[str], there: Sequence[Contestant]) -> list[str]:
    """The names of the wanted ones that there are, in the order of ``there``."""
    found = [one.name for name in wanted if (one := find(name, there))]
    return [one.name for one in there if one.name in found]


def starters_of(site: Site, picked: object) -> list[Contestant]:
    """Those that are picked; raises InputError where they cannot be compared."""
    there = contestants(site)
    wanted = picked if isinstance(picked, list) else []
    for name in wanted:
        if find(name, there) is None:
            raise InputError("There is no checkpoint “{repo_id}”.", repo_id=str(name)[:80])
    names = known(wanted, there)
    found = [one for one in there if one.name in names]
    if not found:
        raise InputError("Pick at least one method.")
    if len(found) > MOST:
        raise InputError(
            "Pick at most {most} methods; you picked {count}.", most=MOST, count=len(found)
        )
    return found


def bench_for(
    site: Site,
    starters: Sequence[Contestant],
    content: str | None,
    style: str | None,
    size: int,
    with_memory: bool,
) -> Bench:
    """The pictures, and how to measure; raises InputError where one is missing or unusable."""
    if not content:
        raise InputError("Add a photo first.")
    wanted = any(takes_style(one.method) for one in starters)
    if wanted and not style:
        raise InputError("Add a style picture.")
    return Bench(
        at_hand(content),
        at_hand(style) if wanted and style else None,
        size=size,
        runs=RUNS,
        patience=PATIENCE,
        fetch=site.runtime.fetch if with_memory else None,
    )


@dataclass(frozen=True)
class Failed:
    """A contestant that has no result; ``message`` is in the visitor's language."""

    message: str


class Race:
    """One comparison.

    Args:
        site: Has the lane and the checkpoints.
        bench: The pictures, and how to measure.
        starters: Who takes part, in this order.
        language: Of the visitor, for what goes wrong.
    """

    def __init__(
        self, site: Site, bench: Bench, starters: Sequence[Contestant], language: str
    ) -> None:
        self._site, self.bench, self._language = site, bench, language
        self._starters = starters
        self._halted = False
        self._job: Job | None = None

    def stop(self) -> None:
        """End the run under way, and start none after it."""
        self._halted = True
        if self._job:
            self._job.stop()

    def follow(self) -> Iterator[tuple[int, State | Failed]]:
        """Yield whose turn it is and how that goes; the first Stopped is the end.

        Closing the iterator stops the work.
        """
        try:
            for number, one in enumerate(self._starters):
                try:
                    for state in self._run(one):
                        yield number, state
                        if isinstance(state, Stopped):
                            return
                except ZooError as error:
                    yield number, Failed(tell(self._language, error))
                except Exception:  # noqa: BLE001 logged with its reference
                    yield number, Failed(status.unexpected(self._language))
        finally:
            self.stop()

    def _run(self, one: Contestant) -> Iterator[State]:
        if self._halted:
            yield Stopped()
            return
        site = self._site
        self._job = Job(
            site.lane, site.runtime, one.repo_id, dict(one.settings), work=self.bench.work
        )
        if self._halted:  # between two runs
            self._job.stop()
        yield from self._job.follow()


def moved(cell: Cell, state: State | Failed) -> Cell:
    """What is known of a method after another look at its work."""
    if isinstance(state, Failed):
        return replace(cell, place="failed", message=state.message, row=None, result=None)
    if isinstance(state, Working | Finished) and isinstance(state.progress, Look):
        look = state.progress
        if look.row and not cell.result:
            cell = replace(cell, result=save(look, "", {}), preview="")
        row = look.row and replace(look.row, painting=cell.one.painting)
        if row and isinstance(state, Finished):
            return replace(cell, place="done", row=replace(row, loading=state.loading))
        return replace(cell, place="working", row=row)
    return replace(cell, place="working") if isinstance(state, Started) else cell


def export(bench: Bench, board: Sequence[Cell]) -> dict[str, str]:
    """Write the table and the picture of all; their paths by the kinds of :data:`FILES`."""
    entries = [cell.entry for cell in board if cell.measured]
    rows = [entry.row for entry in entries]
    place = fresh()
    paths = {kind: place / name for kind, name in FILES.items()}
    paths["csv"].write_text(to_csv(rows), "utf-8")
    paths["json"].write_text(to_json(rows), "utf-8")
    styles = {"": bench.style} if bench.style else {}
    picture(entries, {"": bench.content}, styles).save(paths["png"])
    return {kind: str(path) for kind, path in paths.items()}
