"""The Zoo tab: what checkpoints there are, what is known of each, and which are on this machine."""

import html
import logging
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import gradio as gr

from space import parts, status
from space.components import Dropdown
from space.controls import GLUE
from space.hub import Shelf, download
from space.pictures import served
from space.site import Site, Updates
from space.words import say, spoken, t, tell
from zoo.card import is_thumbnail
from zoo.errors import ZooError
from zoo.hub.client import Model
from zoo.hub.server.markdown import render
from zoo.methods import METHODS

log = logging.getLogger(__name__)

REFRESH = 1.0  # seconds between two looks at all of them while one is under way
PICTURES = frozenset((".png", ".jpg", ".jpeg", ".webp"))
MOST_PICTURES = 8
LARGEST_PICTURE = 4 << 20  # bytes
ALL = ""  # the choice of a filter that filters nothing
LOOPBACK = ("127.0.0.1", "::1")

# Buttons of cards and panel send events of these names, with the checkpoint's name.
BUTTONS = """const events = {show: 'select', try: 'apply', get: 'download', drop: 'delete'};
const key = (button) => `${button.dataset.do} ${button.dataset.id}`;
let last = null;
element.addEventListener('focusin', (event) => {
    const button = event.target.closest('button[data-do]');
    last = button ? key(button) : null;
});
element.addEventListener('focusout', (event) => { if (event.relatedTarget) last = null; });
element.addEventListener('click', (event) => {
    const button = event.target.closest('button[data-do]');
    if (button) trigger(events[button.dataset.do], {id: button.dataset.id});
});
/* What is drawn anew loses the focus. */
watch('value', () => requestAnimationFrame(() => {
    if (!last || document.activeElement !== document.body) return;
    const same = [...element.querySelectorAll('button[data-do]')].find((one) => key(one) === last);
    if (same) same.focus({preventScroll: true});
}));"""
# On a phone the panel lies below the list.
SHOW_PANEL = """() => {
    const panel = document.querySelector('#zoo-panel h3');
    if (!panel) return [];
    panel.focus({preventScroll: true});
    if (window.innerWidth <= 900) panel.scrollIntoView({block: 'start'});
    return [];
}"""
SHOW_TOP = "() => { window.scrollTo({top: 0}); return []; }"


def build(site: Site) -> None:
    """Lay the tab out and connect it."""
    ZooTab(site).build()


class ZooTab:
    """The tab.

    Args:
        site: What the tabs share.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.shelf: Shelf = site.shelf

    # ---- layout

    def build(self) -> None:
        """Lay the tab out and connect its events."""
        with gr.Tab(t("Zoo"), id="zoo", elem_id="tab-zoo") as self.tab:
            self.intro = parts.opening(
                "Zoo",
                caption="All checkpoints of this site. They are downloaded when they are first "
                "used, or now.",
            )
            with gr.Row(elem_classes="sz-zoo-filters"):
                self.words = gr.Textbox(
                    label=t("Search"), elem_id="zoo-search", min_width=180, scale=3, max_lines=1
                )
                self.method = Dropdown(
                    [(t("All"), ALL)], value=ALL, label=t("Method"), elem_id="zoo-method",
                    min_width=140, scale=2,
                )  # fmt: skip
                self.license = Dropdown(
                    [(t("All"), ALL)], value=ALL, label=t("Licence"), elem_id="zoo-license",
                    min_width=140, scale=2,
                )  # fmt: skip
                self.ready = gr.Checkbox(
                    label=t("Ready only"), elem_id="zoo-ready", min_width=140, scale=1
                )
            self.note = gr.HTML("", elem_classes="sz-quiet", elem_id="zoo-note")
            self.doing = gr.HTML("", elem_classes="sz-status sz-quiet", elem_id="zoo-status")
            with gr.Row(equal_height=False, elem_classes="sz-work"):
                with gr.Column(scale=6, min_width=300):
                    self.cards = gr.HTML("", elem_id="zoo-cards", js_on_load=BUTTONS)
                with gr.Column(scale=5, min_width=300, elem_id="zoo-panel"):
                    self.panel = gr.HTML("", elem_id="zoo-about", js_on_load=BUTTONS)
                    self.rest = gr.HTML("", elem_id="zoo-rest", js_on_load="")
            self.chosen = gr.State("")
            self.timer = gr.Timer(REFRESH, active=False)
        self._wire()

    def _wire(self) -> None:
        asked = [self.words, self.method, self.license, self.ready, self.chosen]
        drawn = [self.note, self.cards, self.panel, self.timer]
        again: dict[str, Any] = {"fn": self.look, "inputs": asked, "outputs": drawn, **GLUE}
        arriving = [*drawn, self.method, self.license]
        self.tab.select(self.arrive, asked, arriving, **GLUE)
        page = gr.context.Context.root_block
        assert page is not None  # noqa: S101 - a tab is built inside a page
        page.load(self.arrive, asked, arriving, **GLUE)
        self.words.change(**again)
        for filter_ in (self.method, self.license, self.ready):
            filter_.input(**again)
        self.timer.tick(**again)
        for buttons in (self.cards, self.panel):
            buttons.select(
                self.choose, None, [self.chosen, self.panel, self.rest],
                show_progress="hidden", api_visibility="private", trigger_mode="always_last",
            ).then(None, None, None, js=SHOW_PANEL, **GLUE)  # fmt: skip
            buttons.apply(self.use, None, self.site.settable, **GLUE).then(
                None, None, None, js=SHOW_TOP, **GLUE
            )
            buttons.download(
                self.download, None, [self.doing, self.timer],
                show_progress="hidden", api_visibility="private",
                concurrency_id="downloads", concurrency_limit=8, trigger_mode="multiple",
            ).then(**again)  # fmt: skip
            buttons.delete(self.remove, None, self.doing, **GLUE).then(**again)

    # ---- handlers

    def arrive(
        self, request: gr.Request, words: str, method: str, license: str, ready: bool, chosen: str
    ) -> Updates:
        """The page has loaded or the tab was opened: ask the hub, and offer what there is."""
        language = spoken(request)
        models = self.shelf.models()
        methods = {model.facts.method for model in models} & METHODS.keys()
        licenses = sorted({model.facts.license for model in models} - {""})
        everything = (say(language, "All"), ALL)
        return self.look(request, words, method, license, ready, chosen) | {
            self.method: Dropdown(
                [everything]
                + [
                    (say(language, METHODS[name].title), name)
                    for name in METHODS
                    if name in methods
                ]
            ),
            self.license: Dropdown([everything] + [(name, name) for name in licenses]),
        }

    def look(
        self, request: gr.Request, words: str, method: str, license: str, ready: bool, chosen: str
    ) -> Updates:
        """The list as the filters want it, and the state of the one in the panel."""
        language = spoken(request)
        models = self.shelf.models(patience=0)
        places = {model.repo_id: self.shelf.place(model) for model in models}
        fitting = [
            model
            for model in models
            if _fits(str(words or ""), model)
            and method in (ALL, None, model.facts.method)
            and license in (ALL, None, model.facts.license)
            and not (ready and places[model.repo_id][0] != "ready")
        ]
        update: Updates = {
            self.note: _note(language, self.shelf),
            self.cards: self._list(language, fitting, len(models)),
            self.timer: gr.Timer(active=any(p == "downloading" for p, _ in places.values())),
            self.panel: gr.skip(),
        }
        if model := next((model for model in models if model.repo_id == chosen), None):
            update[self.panel] = self._head(language, model, is_owner(self.site, request))
        return update

    def choose(self, request: gr.Request, event: gr.EventData) -> Iterator[tuple[Any, ...]]:
        """Show what is known of a checkpoint: first what is here, then what the hub sends."""
        language = spoken(request)
        model = self.shelf.model(getattr(event, "id", None))
        if model is None:
            yield "", "", ""
            return
        head = self._head(language, model, is_owner(self.site, request))
        yield model.repo_id, head, ""
        try:
            rest = _details(language, self.shelf, model)
        except ZooError as error:
            rest = status.alert(tell(language, error))
        except OSError:
            log.exception("details of %s", model.repo_id)
            rest = ""
        yield model.repo_id, gr.skip(), rest

    def use(self, request: gr.Request, event: gr.EventData) -> Updates:
        """Open the method's tab with this checkpoint chosen."""
        model = self.shelf.model(getattr(event, "id", None))
        if model is None:
            return {self.site.bar: gr.skip()}
        return self.site.recall(model.facts.method, model.repo_id, {}, spoken(request))

    def download(self, request: gr.Request, event: gr.EventData) -> Iterator[Updates]:
        """Bring a checkpoint here, and tell how far it is."""
        language = spoken(request)
        name = getattr(event, "id", None)
        try:
            for transfer in download(self.shelf, name):
                if transfer:
                    yield {
                        self.doing: status.arriving(language, transfer),
                        self.timer: gr.Timer(active=True),
                    }
            words = say(language, "{checkpoint} is ready.", checkpoint=status.short(str(name)))
            yield {self.doing: status.plain(words)}
        except ZooError as error:
            yield {self.doing: status.alert(tell(language, error))}
        except OSError:
            log.exception("download of %s", name)
            words = say(language, "The download failed. The log of this site says why.")
            yield {self.doing: status.alert(words)}

    def remove(self, request: gr.Request, event: gr.EventData) -> str:
        """Delete what was downloaded of a checkpoint; only for whom the machine belongs to."""
        language = spoken(request)
        model = self.shelf.model(getattr(event, "id", None))
        if model is None or not is_owner(self.site, request):
            return ""
        self.shelf.remove(model.repo_id)
        name = status.short(model.repo_id)
        words = say(language, "{checkpoint} was removed from this machine.", checkpoint=name)
        return status.plain(words)

    # ---- what is shown

    def _list(self, language: str, models: list[Model], total: int) -> str:
        count = say(language, "{count} of {total} checkpoints", count=len(models), total=total)
        cards = "".join(self._card(language, model) for model in models)
        empty = say(language, "No checkpoint fits. Change the search or the filters.")
        return f'<p class="sz-zoo-count" role="status">{html.escape(count)}</p>' + (
            f'<ul class="sz-zoo">{cards}</ul>' if models else f"<p>{html.escape(empty)}</p>"
        )

    def _card(self, language: str, model: Model) -> str:
        name = html.escape(model.repo_id)
        title = model.facts.title
        summary = f'<p class="sz-zoo-summary">{html.escape(title)}</p>'
        return f"""<li class="sz-zoo-card"><div class="sz-zoo-top"><h3>{name}</h3>
            {_state(language, self.shelf, model)}</div>
            {summary if title and title != _title(model) else ""}{_facts(language, model)}
            <div class="sz-zoo-buttons">{_button(language, "show", model, "Details")}
            {self._actions(language, model)}</div></li>"""

    def _actions(self, language: str, model: Model, owner: bool = False) -> str:
        place, _ = self.shelf.place(model)
        found = []
        if model.facts.method in METHODS:
            found.append(_button(language, "try", model, "Try"))
        if place in ("absent", "damaged"):
            found.append(_button(language, "get", model, "Download"))
        if owner and model.commit and place in ("ready", "damaged"):
            found.append(_button(language, "drop", model, "Remove"))
        return "".join(found)

    def _head(self, language: str, model: Model, owner: bool) -> str:
        """Top of the panel: all that changes while it is open."""
        facts = model.facts
        title = html.escape(model.repo_id)
        summary = f"<p>{html.escape(say(language, facts.summary))}</p>" if facts.summary else ""
        link = _page_of(language, self.shelf, model)
        return f"""<div class="sz-zoo-panel"><div class="sz-zoo-top"><h3 tabindex="-1">{title}</h3>
            {_state(language, self.shelf, model)}</div>{summary}
            {_facts(language, model)}
            <div class="sz-zoo-buttons">{self._actions(language, model, owner)}{link}</div></div>"""


def is_owner(site: Site, request: gr.Request) -> bool:
    """Whether the visitor sits at this machine and no strangers can come."""
    forwarded = request.headers.get("x-forwarded-for") or request.headers.get("forwarded")
    client = request.client.host if request.client else ""
    return site.private and not forwarded and client in LOOPBACK


def _fits(words: str, model: Model) -> bool:
    facts = model.facts
    text = " ".join((model.repo_id, facts.method, facts.title, facts.summary, *model.tags)).lower()
    return all(word in text for word in words.lower().split())


def _title(model: Model) -> str:
    """What its method is called; the method may be one that this version does not have."""
    method = METHODS.get(model.facts.method)
    return method.title if method else model.facts.method or "Unknown method"


def _note(language: str, shelf: Shelf) -> str:
    if error := shelf.away:
        rest = say(language, "Only what comes with the app or was downloaded before can be used.")
        return status.alert(f"{tell(language, error)} {rest}")
    return ""


def _state(language: str, shelf: Shelf, model: Model) -> str:
    place, share = shelf.place(model)
    match place:
        case "ready":
            words = say(language, "Ready")
        case "downloading":
            words = say(language, "Downloading {percent} %", percent=round(100 * share))
        case "damaged":
            words = say(language, "Damaged")
        case _:
            words = say(language, "Not downloaded")
    return f'<span class="sz-zoo-state" data-state="{place}">{html.escape(words)}</span>'


def _facts(language: str, model: Model) -> str:
    facts = model.facts
    trained = ", ".join(data.name for data in facts.datasets)
    size = sum(file.size for file in model.files if not file.path.startswith("."))
    rows = [
        (say(language, "Method"), html.escape(say(language, _title(model)))),
        (say(language, "Size"), _size(size) if model.files else "…"),
        (say(language, "Licence"), html.escape(facts.license or say(language, "not stated"))),
        (say(language, "Trained on"), html.escape(trained)),
        (say(language, "Revision"), f"<code>{html.escape(model.commit[:8])}</code>"),
    ]
    if not model.commit:
        rows[-1] = (say(language, "Revision"), html.escape(say(language, "comes with the app")))
    items = "".join(f"<div><dt>{html.escape(k)}</dt><dd>{v}</dd></div>" for k, v in rows if v)
    return f'<dl class="sz-zoo-facts">{items}</dl>'


def _button(language: str, do: str, model: Model, label: str) -> str:
    words, name = html.escape(say(language, label)), html.escape(model.repo_id)
    return (
        f'<button type="button" class="sz-zoo-{do}" data-do="{do}" data-id="{name}">{words}'
        f'<span class="sz-unseen"> {name}</span></button>'
    )


def _page_of(language: str, shelf: Shelf, model: Model) -> str:
    """A link to the page that the hub has for it."""
    if not model.commit or (shelf.hub and shelf.hub.closed):
        return ""
    address = html.escape(f"{shelf.address.lstrip('/')}/{model.repo_id}")
    words = html.escape(say(language, "Its page on the hub"))
    return f'<a href="{address}" target="_blank" rel="noreferrer">{words}</a>'


def _details(language: str, shelf: Shelf, model: Model) -> str:
    """Sample pictures, files with their hashes, and the card."""
    pictures: dict[str, str] = {}
    for name in _picture_names(model):
        try:
            if content := shelf.read(model, name):
                pictures[name] = served(content, PurePosixPath(name).suffix.lower())
        except ZooError as error:  # the rest is worth showing
            log.info("%s: %s", name, error)
    text = (shelf.read(model, "README.md") or b"").decode("utf-8", "replace")
    page = f"{shelf.address.lstrip('/')}/{model.repo_id}/blob/{model.commit}"

    def address(view: str, path: str) -> str | None:
        if view == "resolve":
            return pictures.get(path)
        return f"{page}/{path}" if model.commit and shelf.address else None

    card = str(render(text, address, under=3)).replace("<a href=", '<a target="_blank" href=')
    card = card.replace('aria-label="Table"', f'aria-label="{html.escape(say(language, "Table"))}"')
    samples = ""
    if pictures and "<img" not in card:
        shown = "".join(
            f'<img src="{html.escape(src)}" alt="{html.escape(PurePosixPath(name).stem)}">'
            for name, src in pictures.items()
        )
        heading = html.escape(say(language, "Samples"))
        samples = f'<h4>{heading}</h4><div class="sz-zoo-samples">{shown}</div>'
    files = _files(language, shelf, model)
    return f'<div class="sz-zoo-rest">{samples}{files}<div class="sz-zoo-text">{card}</div></div>'


def _files(language: str, shelf: Shelf, model: Model) -> str:
    rows = []
    for file in model.files:
        if file.path.startswith("."):  # git's own
            continue
        kind, digest = shelf.digest(model, file)
        rows.append(
            f"<tr><th scope='row'>{html.escape(file.path)}</th><td>{_size(file.size)}</td>"
            f"<td><code>{kind}:{digest}</code></td></tr>"
        )
    heads = [html.escape(say(language, word)) for word in ("File", "Size", "Hash")]
    heading = html.escape(say(language, "Files"))
    top = "".join(f"<th scope='col'>{head}</th>" for head in heads)
    return (
        f'<h4>{heading}</h4><div class="scroll sz-zoo-files" tabindex="0" role="group" '
        f'aria-label="{heading}">'
        f"<table><thead><tr>{top}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _picture_names(model: Model) -> list[str]:
    """The pictures to show: the card's samples first."""
    sizes = {file.path: file.size for file in model.files}
    names = [*model.facts.samples, *sorted(sizes)]
    return [
        name
        for name in dict.fromkeys(names)
        if PurePosixPath(name).suffix.lower() in PICTURES
        and not is_thumbnail(name)
        and sizes.get(name, LARGEST_PICTURE + 1) <= LARGEST_PICTURE
    ][:MOST_PICTURES]


def _size(count: int) -> str:
    if count < 1000:
        return f"{count} B"
    if count < 10**6:
        return f"{count / 1000:.0f} kB"
    return f"{count / 10**6:.1f} MB" if count < 10**9 else f"{count / 10**9:.2f} GB"
