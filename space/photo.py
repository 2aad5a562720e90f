"""The photo's place in a tab: what stands around the box, and what a photo in it brings along."""

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from space import parts
from space.controls import GLUE, TELLING
from space.links import record_in
from space.pictures import PHOTOS, at_hand, picture_box, preset, refusal
from space.site import Updates
from space.words import spoken, t, tell
from zoo.errors import InputError

SEEN = "() => { sz.photoSeen(); return []; }"


@dataclass(frozen=True)
class Offer:
    """A question to whoever brings a picture that was made here: whether to use its settings.

    Args:
        record: What the picture says of them, while the question stands.
        row: The question.
        use: Says yes.
        leave: Says no.
    """

    record: gr.State
    row: gr.Row
    use: gr.Button
    leave: gr.Button

    def ask(self, record: Any) -> Updates:
        """Ask where there is a record."""
        return {self.record: record, self.row: gr.Row(visible=record is not None)}

    def wire(self, recall: Callable[..., Updates], settable: Sequence[Any]) -> None:
        """Connect the events; ``recall`` puts a record into what is ``settable``."""
        hidden = (lambda: gr.Row(visible=False), None, self.row)
        self.use.click(recall, self.record, list(settable), **GLUE).then(*hidden, **GLUE)
        self.leave.click(*hidden, **GLUE)


@dataclass(frozen=True)
class PhotoBox:
    """What was laid out.

    Args:
        box: Holds the path of the photo.
        strip: Example photos.
        last: Takes the photo that was last used in any tab.
        offer: Asks about our own pictures, where the tab has settings that they can bring.
    """

    box: Any
    strip: Any
    last: Any
    offer: Offer | None = None

    def wire(self, last_photo: gr.State) -> None:
        """Connect the events of all but the offer; ``last_photo`` is the session's."""
        changed = [self.box, last_photo]
        if self.offer:
            changed += [self.offer.record, self.offer.row]

        def taken(path: Any, kept: Any, record: Any = None) -> Updates:
            asked = self.offer.ask(record) if self.offer else {}
            return {self.box: path, last_photo: kept} | asked

        def accept(payload: Any, request: gr.Request) -> Updates:
            """A photo was put into the box: keep it or say why not, and see whether it is ours."""
            if not payload:
                return taken(gr.skip(), gr.skip())
            if reason := refusal(payload, spoken(request)):
                gr.Warning(html.escape(reason), duration=12)
                return taken(None, gr.skip())
            path = payload["path"]
            return taken(gr.skip(), path, record_in(path) if self.offer else None)

        def take_example(event: gr.EventData) -> Updates:
            """An example photo was clicked."""
            example = preset("content", getattr(event, "id", None))
            path = str(example.path) if example else gr.skip()
            return taken(path, path)

        def take_last(path: Any, request: gr.Request) -> Any:
            """The photo that was last used is wanted."""
            try:
                return at_hand(path) if path else gr.skip()
            except InputError as error:
                gr.Warning(html.escape(tell(spoken(request), error)), duration=12)
                return gr.skip()

        self.box.upload(accept, self.box, changed, preprocess=False, **TELLING).then(
            None, None, None, js=SEEN, **GLUE
        )
        self.strip.click(take_example, None, changed, **GLUE).then(
            None, None, None, js=SEEN, **GLUE
        )
        self.last.click(take_last, last_photo, self.box, **TELLING)


def lay_out(tab: str, height: int) -> PhotoBox:
    """Lay a box out here, with what belongs to it; ids start with the name of the ``tab``."""
    return around(picture_box("Photo", f"{tab}-content", photo=True, height=height), tab)


def around(box: Any, tab: str, *, offering: bool = False) -> PhotoBox:
    """Lay out here what belongs to a ``box`` for the photo.

    Args:
        box: What is there.
        tab: Ids start with its name.
        offering: Whether the settings of our own pictures are of use.
    """
    strip = parts.photo_strip(PHOTOS, f"{tab}-examples")
    last = gr.Button(
        t("Use my last photo"), size="sm", elem_classes="sz-last", elem_id=f"{tab}-last"
    )
    if not offering:
        return PhotoBox(box, strip, last)
    record = gr.State(None)
    with gr.Row(visible=False, elem_classes="sz-offer") as row:
        gr.Markdown(t("This picture was made here. Use its settings?"))
        use = gr.Button(t("Use its settings"), size="sm", elem_id=f"{tab}-use", min_width=120)
        leave = gr.Button(t("No"), size="sm", min_width=60)
    return PhotoBox(box, strip, last, Offer(record, row, use, leave))
