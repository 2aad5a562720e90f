"""The photo's place in a tab of its own making: box, examples, and the last photo."""

import html
from dataclasses import dataclass
from typing import Any

import gradio as gr

from space import parts
from space.controls import GLUE, TELLING
from space.pictures import PHOTOS, picture_box, preset, refusal
from space.words import spoken, t


@dataclass(frozen=True)
class PhotoBox:
    """What was laid out.

    Args:
        box: Holds the path of the photo.
        strip: Example photos.
        last: Takes the photo that was last used in any tab.
    """

    box: Any
    strip: Any
    last: Any

    def wire(self, last_photo: gr.State) -> None:
        """Connect the events; ``last_photo`` is the session's."""
        seen = "() => { sz.photoSeen(); return []; }"
        both = [self.box, last_photo]
        self.box.upload(_accept, self.box, both, preprocess=False, **TELLING).then(
            None, None, None, js=seen, **GLUE
        )
        self.strip.click(_take_example, None, both, **GLUE).then(None, None, None, js=seen, **GLUE)
        self.last.click(lambda path: path or gr.skip(), last_photo, self.box, **GLUE)


def lay_out(tab: str, height: int) -> PhotoBox:
    """Lay the box out here; ids start with the name of the ``tab``."""
    box = picture_box("Photo", f"{tab}-content", photo=True, height=height)
    strip = parts.photo_strip(PHOTOS, f"{tab}-examples")
    last = gr.Button(
        t("Use my last photo"), size="sm", elem_classes="sz-last", elem_id=f"{tab}-last"
    )
    return PhotoBox(box, strip, last)


def _accept(payload: Any, request: gr.Request) -> tuple[Any, Any]:
    """A photo was put into the box: keep it or say why not."""
    if payload and (reason := refusal(payload, spoken(request))):
        gr.Warning(html.escape(reason), duration=12)
        return None, gr.skip()
    return gr.skip(), payload["path"] if payload else gr.skip()


def _take_example(event: gr.EventData) -> tuple[Any, Any]:
    """An example photo was clicked."""
    example = preset("content", getattr(event, "id", None))
    return (str(example.path),) * 2 if example else (gr.skip(), gr.skip())
