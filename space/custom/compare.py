"""The Compare tab: several methods on one photo, side by side, with what they cost and did to it.

A board is what the server knows of a comparison: a cell for each method, which fills while the
methods take turns. What is drawn of it are the cells, a table that the browser sorts, and a slider
between any two of the pictures.
"""

import html
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr

from space import links, parts, photo, status
from space.components import CheckboxGroup, Dropdown, within_address
from space.controls import GLUE, TELLING, entry
from space.jobs import Loading, Started, State, Stopped, Waiting, Working
from space.race import (
    MOST,
    Board,
    Cell,
    Failed,
    Race,
    bench_for,
    called,
    contestants,
    export,
    known,
    moved,
    pictures,
    sorted_out,
    starters_of,
    usual,
)
from space.site import Site, Updates
from space.theme import read
from space.words import say, spoken, t, tell
from space.work import PREVIEW_EVERY
from zoo.compare import Bench, Contestant, Look
from zoo.errors import ZooError
from zoo.form import Form, form_of
from zoo.metrics import FIGURES
from zoo.pipeline import photo_options

NAME = "compare"
CELL_PREVIEW = 320  # pixels of a picture that is not finished
PHOTO = ""  # among the pictures to lay over each other, the one that is no method's


def build(site: Site) -> None:
    """Lay the tab out and connect it, where there is something to compare."""
    if contestants(site):
        CompareTab(site).build()
    else:
        site.others = tuple(name for name in site.others if name != NAME)


class CompareTab:
    """The tab.

    Args:
        site: What the tabs share.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.running: dict[str | None, Race] = {}  # by the visitor's session
        size = 1024 if site.runtime.on_gpu else 512
        self.options = form_of(photo_options).with_defaults(size=size)
        self.form: Form = form_of(pictures) + self.options

    # ---- layout

    def build(self) -> None:
        """Lay the tab out and connect its events."""
        with gr.Tab(t("Compare"), id=NAME, elem_id=f"tab-{NAME}"):
            parts.opening(
                "Compare",
                caption="Several methods on the same photo, side by side, with measured time, "
                "memory and quality.",
            )
            with gr.Row(equal_height=False, elem_classes="sz-work"):
                with gr.Column(scale=4, min_width=300):
                    self._build_inputs()
                with gr.Column(
                    scale=6, min_width=300, elem_classes="sz-result", elem_id=f"{NAME}-result"
                ):
                    self._build_results()
            self._build_table()
        self._wire()

    def _build_inputs(self) -> None:
        there = contestants(self.site)
        firsts, others = sorted_out(there)
        self.photo = photo.lay_out(NAME, 260)
        self.methods = CheckboxGroup(
            [(t(one.title), one.name) for one in firsts],
            value=usual(there),
            label=t("Methods"),
            info=t("At most six at once."),
            elem_id=f"{NAME}-methods",
            elem_classes="sz-methods",
        )
        with gr.Accordion(
            t("More paintings"), open=False, visible=bool(others), elem_id=f"{NAME}-more"
        ) as self.folder:
            self.paintings = CheckboxGroup(
                [(t(one.title), one.name) for one in others],
                value=[],
                label=t("More paintings"),
                show_label=False,
                elem_id=f"{NAME}-paintings",
                elem_classes="sz-methods",
            )
        self.style = entry(self.form.by_name["style"], NAME)
        with gr.Group(elem_classes="sz-controls"):
            self.size = entry(self.form.by_name["size"], NAME)
            self.memory = gr.Checkbox(
                value=False,
                label=t("Measure peak memory"),
                info=t("Runs each method once more in a process of its own, which takes longer."),
                visible=not self.site.runtime.on_gpu,  # a GPU's allocator tells it anyway
                elem_id=f"{NAME}-memory",
            )
        self.note, self.go, self.stop = parts.run_bar("Compare", NAME)

    def _build_results(self) -> None:
        self.empty = parts.empty_result(
            "Your results appear here. Add a photo, pick methods and press Compare."
        )
        self.status = gr.HTML("", elem_classes="sz-status sz-quiet", elem_id=f"{NAME}-status")
        self.cells = gr.HTML("", elem_id=f"{NAME}-cells", elem_classes="sz-plain", js_on_load="")
        with gr.Column(visible=False, elem_classes="sz-plain") as self.over:
            with gr.Row():
                self.sides = [
                    Dropdown(
                        [],
                        label=label,
                        elem_id=f"{NAME}-{side}",
                        min_width=120,
                    )
                    for side, label in (("left", t("Left")), ("right", t("Right")))
                ]
            self.slider = parts.before_after(NAME, t("Left / right"))
            self.names = gr.HTML(  # what the two pictures are, for who cannot see them
                value=["", ""],
                elem_classes="sz-unseen",
                # A name may be a stranger's: nothing in it is markup.
                html_template="<p>${value.map((name) => sz.t(name).replace(/[<>&]/g, ' '))"
                ".join(' / ')}</p>",
                js_on_load="const tell = () => { "
                f"sz.sides = {{...sz.sides, '{NAME}-slider': props.value.map(sz.t)}}; "
                "}; tell(); watch('value', tell);",
            )
        self.board = gr.State(())

    def _build_table(self) -> None:
        self.table = gr.HTML(
            "", elem_id=f"{NAME}-table", elem_classes="sz-plain", js_on_load=read("compare.js")
        )
        with gr.Row(visible=False, elem_classes="sz-actions") as self.actions:
            self.files = {
                kind: gr.DownloadButton(words, elem_id=f"{NAME}-{kind}", min_width=120)
                for kind, words in (
                    ("png", t("All as one PNG")),
                    ("csv", t("Table as CSV")),
                    ("json", t("Table as JSON")),
                )
            }
            self.link = gr.Button(
                t("Copy link to these settings"), elem_id=f"{NAME}-link", min_width=120
            )

    # ---- events

    def _wire(self) -> None:
        site = self.site
        page = gr.context.Context.root_block
        assert page is not None  # noqa: S101 - a tab is built inside a page
        shown = [self.empty, self.status, self.cells, self.table, self.over, self.slider]
        shown += [*self.sides, self.names, self.board, self.actions, *self.files.values()]
        self.photo.wire(site.last_photo)
        self.go.click(
            self.run,
            [self.photo.box, self.methods, self.paintings, *self.size.components, self.memory,
             *self.style.components],
            [self.go, self.stop, self.note, site.last_photo, *shown],
            show_progress="hidden",
            api_visibility="private",
            concurrency_id="studio",
            concurrency_limit=site.lane.longest + 2,
            trigger_mode="once",
        )  # fmt: skip
        self.stop.click(self.halt, None, None, **GLUE)
        for side in self.sides:
            side.input(
                self.lay_over, [self.board, *self.sides], [self.slider, self.names], **TELLING
            )
        linked = {
            "methods": self.methods,
            "paintings": self.paintings,
            "size": self.size.components[0],
            "style": self.style.components[0],
        }
        page.load(self.arrive, None, [*linked.values(), self.folder], **GLUE)
        links.wire(self.link, NAME, linked)

    # ---- handlers

    def run(
        self,
        request: gr.Request,
        content: str | None,
        picked: Any,
        paintings: Any,
        size: Any,
        with_memory: bool,
        *style: Any,
    ) -> Iterator[Updates]:
        """Let the methods take turns; no exception leaves this handler."""
        language, site = spoken(request), self.site
        visitor = request.session_hash
        idle = {
            self.go: gr.Button(say(language, "Compare"), interactive=True),
            self.stop: gr.Button(visible=False),
        }
        try:
            names = [
                name for group in (picked, paintings) if isinstance(group, list) for name in group
            ]
            starters = [
                replace(one, title=called(language, one)) for one in starters_of(site, names)
            ]
            size = self.options.check({"size": size})["size"]
            bench = bench_for(
                site, starters, content, self.style.read(*style), size, bool(with_memory)
            )
            race = Race(site, bench, starters, language)
        except ZooError as error:
            yield idle | {self.note: status.alert(tell(language, error))}
            return
        self.running[visitor] = race
        yield {
            self.go: gr.Button(say(language, "Working…"), interactive=False),
            self.stop: gr.Button(visible=True),
            self.note: "",
            site.last_photo: content,
            self.empty: gr.HTML(visible=False),
            self.over: gr.Column(visible=False),
            self.actions: gr.Row(visible=False),
            self.table: "",
        }
        try:
            for updates, last in self._follow(race, starters, language):
                yield updates | idle if last else updates
        except Exception:  # noqa: BLE001 logged with its reference
            yield idle | {self.status: "", self.note: status.alert(status.unexpected(language))}
        finally:
            race.stop()
            if self.running.get(visitor) is race:
                del self.running[visitor]

    def _follow(
        self, race: Race, starters: Sequence[Contestant], language: str
    ) -> Iterator[tuple[Updates, bool]]:
        """What changes on the page, and whether it is the last change."""
        board: Board = tuple(Cell(one) for one in starters)
        shown: dict[Any, Any] = {}
        drawn, words = float("-inf"), ""
        for number, state in race.follow():
            if isinstance(state, Stopped):
                board = tuple(
                    cell if cell.measured else replace(cell, place="stopped") for cell in board
                )
                words = say(language, "Stopped. What was done is kept.")
                break
            cell = board[number]
            hurry = time.monotonic() - drawn >= PREVIEW_EVERY
            if hurry and isinstance(state, Working) and not cell.result:
                drawn = time.monotonic()
                picture = state.progress.pictures()[0]
                cell = replace(cell, preview=within_address(picture, CELL_PREVIEW))
            cell = moved(cell, state)
            board = (*board[:number], cell, *board[number + 1 :])
            new = {
                self.status: doing(language, number, len(board), cell.one, state),
                self.cells: draw_cells(language, board, race.bench),
                self.table: draw_table(language, board),
            }
            updates = {part: value for part, value in new.items() if shown.get(part) != value}
            shown |= updates
            yield updates or {self.status: gr.skip()}, False
        yield self._finished(language, race.bench, board, words), True

    def _finished(self, language: str, bench: Bench, board: Board, words: str) -> Updates:
        done = [cell for cell in board if cell.result and cell.row]
        ended = say(language, "Done.") if done else say(language, "No method had a result.")
        updates: Updates = {
            self.status: status.plain(words or ended),
            self.cells: draw_cells(language, board, bench),
            self.table: draw_table(language, board),
            self.board: board,
        }
        if not done:
            return updates
        choices = [(say(language, "Photo"), PHOTO)]
        choices += [(cell.one.title, cell.one.name) for cell in done]
        values = [value for _, value in (choices[1:] if len(done) > 1 else choices)][:2]
        for side, value in zip(self.sides, values, strict=True):
            updates[side] = gr.Dropdown(choices=choices, value=value)
        updates[self.slider], updates[self.names] = self.lay_over(board, values[0], values[1])
        for kind, path in export(bench, board).items():
            updates[self.files[kind]] = gr.DownloadButton(value=path)
        return updates | {
            self.over: gr.Column(visible=True),
            self.actions: gr.Row(visible=True),
        }

    def halt(self, request: gr.Request) -> None:
        """Stop this visitor's comparison; what is done stays."""
        if race := self.running.get(request.session_hash):
            race.stop()

    def lay_over(
        self, board: Board, left: object, right: object, request: gr.Request | None = None
    ) -> tuple[Any, Any]:
        """Two of the pictures in the slider, by the checkpoints that made them."""
        done = [cell for cell in board if cell.result and cell.result.there]
        paths = {cell.one.name: cell.result.files[0] for cell in done if cell.result}
        titles = {cell.one.name: cell.one.title for cell in done}
        if before := next((cell.result.before for cell in done if cell.result), None):
            paths[PHOTO], titles[PHOTO] = before, "Photo"
        if left not in paths or right not in paths:
            gone = "This result is older than an hour and was deleted."
            gr.Warning(say(spoken(request), gone))
            return gr.skip(), gr.skip()
        return (paths[left], paths[right]), [titles[left], titles[right]]

    def arrive(self, request: gr.Request) -> list[Any]:
        """When the page has loaded: what there is now, and what its link asks for."""
        there = contestants(self.site)
        language = spoken(request)
        firsts, others = (
            [(called(language, one), one.name) for one in group] for group in sorted_out(there)
        )
        asked = dict(request.query_params)
        offered = firsts, others
        here: dict[str, Any] = {"visible": bool(others)}
        if asked.get("tab") != NAME:
            methods, paintings = (gr.CheckboxGroup(choices=group) for group in offered)
            return [methods, paintings, gr.skip(), gr.skip(), gr.Accordion(**here)]
        # A link does not name what is picked as usual; nothing is picked where it names nothing.
        named = asked.get("methods", ",".join(usual(there)))
        wanted = f"{named},{asked.get('paintings', '')}".split(",")
        picked = known(wanted, there)[:MOST] or (usual(there) if named else [])
        chosen = [[name for _, name in group if name in picked] for group in offered]
        methods, paintings = (
            gr.CheckboxGroup(choices=group, value=value)
            for group, value in zip(offered, chosen, strict=True)
        )
        if chosen[1]:
            here["open"] = True
        usable = links.settings_from(self.form, asked)
        style: Any = self.style.show(usable["style"])[0] if "style" in usable else gr.skip()
        return [methods, paintings, usable.get("size", gr.skip()), style, gr.Accordion(**here)]


# ---- what is shown


def doing(language: str, number: int, total: int, one: Contestant, state: State | Failed) -> str:
    """The line over the cells: whose turn it is, and how far it is."""
    head = say(
        language,
        "{number} of {total}: {method}",
        number=number + 1,
        total=total,
        method=one.title,
    )
    if isinstance(state, Working) and isinstance(state.progress, Look):
        look = state.progress
        if look.task == "timing":
            return status.bar(f"{head} · {say(language, 'measuring time')}")
        if look.task == "measuring":
            return status.bar(f"{head} · {say(language, 'measuring quality')}")
        if look.total > 1:
            words = say(language, "Step {number} of {total}", number=look.number, total=look.total)
            return status.bar(f"{head} · {words}", look.number / look.total)
    if isinstance(state, Started):
        return status.bar(f"{head} · {status.painting(language, one.repo_id)}")
    if isinstance(state, Waiting) or (isinstance(state, Loading) and state.transfer):
        return status.doing(language, state, one.repo_id)
    return status.bar(head)


def draw_cells(language: str, board: Board, bench: Bench) -> str:
    """The pictures, each with its method and time, or with what went wrong."""
    width, height = bench.content.size
    cells = "".join(_cell(language, cell) for cell in board)
    return f'<div class="sz-laps" style="--ratio: {width}/{height}">{cells}</div>'


def _cell(language: str, cell: Cell) -> str:
    title = html.escape(cell.one.title)
    words = {
        "waiting": say(language, "Waiting"),
        "working": say(language, "Working…"),
        "stopped": say(language, "Stopped"),
    }.get(cell.place, "")
    inner, save_link = f"<p>{html.escape(cell.message or words)}</p>", ""
    if cell.result:
        path = cell.result.files[0]
        src = html.escape(f"gradio_api/file={path}")
        width, height = cell.result.record["width"], cell.result.record["height"]
        inner = f'<img src="{src}" alt="{title}" width="{width}" height="{height}">'
        name = html.escape(Path(path).name)
        label = html.escape(say(language, "Download PNG"))
        save_link = f'<a href="{src}" download="{name}" aria-label="{label}: {title}">{label}</a>'
    elif cell.preview:
        inner = f'<img src="{cell.preview}" alt="{title}">'
    seconds = ""
    if cell.row and cell.row.seconds is not None:
        seconds = f"<span>{number_of(cell.row.seconds)} s</span>"
    return (
        f'<figure class="sz-lap" data-place="{cell.place}"><div>{inner}</div>'
        f"<figcaption><b>{title}</b>{seconds}{save_link}</figcaption></figure>"
    )


@dataclass(frozen=True)
class Column:
    """A column of numbers: its key in a row, its head, what it stands on, and its scale."""

    key: str
    title: str
    on: str = ""
    per: float = 1.0


COLUMNS = (
    Column("seconds", "Time", "s"),
    Column("runs", "Runs"),
    Column("loading", "Loading", "s"),
    Column("memory", "Peak memory", "MB", 1e6),
    *(Column(one.key, one.title, one.features) for one in FIGURES),
)


def draw_table(language: str, board: Board) -> str:
    """Everything measured so far; the browser sorts it."""
    counted = [cell for cell in board if cell.measured]
    if not counted:
        return ""
    heads = "".join(
        f'<th scope="col" role="columnheader" data-key="{one.key}"><button type="button">'
        f"{html.escape(say(language, one.title))}</button>"
        f"<small>{html.escape(say(language, one.on))}</small></th>"
        for one in COLUMNS
    )
    method = html.escape(say(language, "Method"))
    sort = html.escape(say(language, "Sort by"))
    options = "".join(
        f'<option value="{one.key}">{html.escape(say(language, one.title))}</option>'
        for one in COLUMNS
    )
    rows = "".join(_row(language, cell) for cell in counted)
    title = html.escape(say(language, "What was measured"))
    return f"""<section class="sz-measured" aria-label="{title}"><h3>{title}</h3>
        <label class="sz-sort">{sort} <select><option value="">–</option>{options}</select></label>
        <table role="table"><thead role="rowgroup"><tr role="row">
        <th scope="col" role="columnheader" data-key="method"><button type="button">{method}
        </button></th>{heads}</tr></thead><tbody role="rowgroup">{rows}</tbody></table>
        {_meanings(language)}</section>"""


def _row(language: str, cell: Cell) -> str:
    title = html.escape(cell.one.title)
    head = f'<th scope="row" role="rowheader" data-key="method" data-value="{title}">{title}</th>'
    if cell.row is None:
        words = html.escape(cell.message)
        return f'<tr role="row">{head}<td role="cell" colspan="{len(COLUMNS)}">{words}</td></tr>'
    cells = []
    for one in COLUMNS:
        value, shown = cell.row.value(one.key), "…" if cell.place == "working" else "–"
        if value is not None:
            shown = number_of(value / one.per)
        if one.key == "runs" and not cell.row.warm:
            shown = say(language, "1, the first")
        label = say(language, one.title) + (f" ({one.on})" if one.on in ("s", "MB") else "")
        cells.append(
            f'<td role="cell" data-key="{one.key}" data-label="{html.escape(label)}" '
            f'data-value="{"" if value is None else value}">{html.escape(shown)}</td>'
        )
    return f'<tr role="row">{head}{"".join(cells)}</tr>'


def _meanings(language: str) -> str:
    """What each column is, folded away."""
    told = [
        (
            say(language, "Time"),
            "",
            say(
                language,
                "From the photo to the result, loading apart: the median of three runs after a "
                "first one; or the first alone, where it took more than 3 seconds.",
            ),
        ),
        (
            say(language, "Peak memory"),
            "",
            say(
                language,
                "The most that the method takes at once, weights included. Without a GPU it is "
                "measured only where that is asked for.",
            ),
        ),
        *(
            (say(language, f.title), say(language, f.features), say(language, f.meaning))
            for f in FIGURES
        ),
    ]
    rows = "".join(
        f"<div><dt>{html.escape(title)}{f' <small>{html.escape(on)}</small>' if on else ''}</dt>"
        f"<dd>{html.escape(meaning)}</dd></div>"
        for title, on, meaning in told
    )
    head = html.escape(say(language, "What the numbers mean"))
    return f"<details><summary>{head}</summary><dl>{rows}</dl></details>"


def number_of(value: float) -> str:
    """A number with three digits that count."""
    if value == int(value):
        return f"{int(value)}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"
