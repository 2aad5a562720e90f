"""The place of the results in a tab: what is shown, what can be done with it, what came before."""

from collections.abc import Sequence
from typing import Any

import gradio as gr

from space import parts
from space.components import Dropdown
from space.results import Result
from space.site import Updates
from space.words import t

KEPT = 12  # results of a session
TINY = 128  # pixels of width up to which pictures are drawn pixel by pixel


class Stage:
    """Lays itself out where it is made.

    Args:
        name: Of the tab; ids start with it.
        words: What stands there at first.

    Attributes:
        shown: Path of the picture that is shown large.
        results: The results of the session, the last one first.
    """

    def __init__(self, name: str, words: str) -> None:
        self.empty = parts.empty_result(words)
        self.preview = parts.preview(f"{name}-preview", visible=False)
        self.many = gr.Gallery(
            label=t("Results"),
            visible=False,
            columns=3,
            height="auto",
            allow_preview=False,
            buttons=["download_all"],
            elem_classes="sz-many",
            elem_id=f"{name}-many",
        )
        self.slider = parts.before_after(name, t("Before / after"), visible=False)
        self.status = gr.HTML("", elem_classes="sz-status sz-quiet", elem_id=f"{name}-status")
        self.shown = gr.State(None)
        with gr.Row(visible=False, elem_classes="sz-actions") as self.actions:
            self.download = gr.DownloadButton(
                t("Download PNG"), size="md", elem_id=f"{name}-download", min_width=120
            )
            self.link = gr.Button(
                t("Copy link to these settings"), size="md", elem_id=f"{name}-link", min_width=120
            )
            self.send = Dropdown(
                [],
                value=None,
                label=t("Send to…"),
                visible=False,
                elem_id=f"{name}-send",
                min_width=140,
            )
        self.results = gr.State([])
        self.history = gr.Gallery(
            label=t("This session's results"),
            visible=False,
            columns=6,
            fit_columns=False,
            height="auto",
            allow_preview=False,
            object_fit="cover",
            buttons=[],
            elem_classes="sz-history",
            elem_id=f"{name}-history",
        )

    @property
    def picked(self) -> list[Any]:
        """What :meth:`pick` changes."""
        return [self.slider, self.actions, self.download, self.shown]

    @property
    def presented(self) -> list[Any]:
        """What :meth:`present` changes."""
        return [self.empty, self.preview, self.many, self.status, *self.picked]

    @property
    def changed(self) -> list[Any]:
        """What work changes."""
        return [*self.presented, self.send, self.results, self.history]

    def present(self, result: Result) -> Updates:
        """Show a result with everything that belongs to it."""
        several = len(result.files) > 1 or bool(result.small)
        compare = (result.before, result.files[0]) if result.before else None
        if result.small:  # none of them stands out
            compare = None
        single = None if compare or several else result.files[0]
        many = self.gallery(result) if several else None
        place = self.place(preview=single, compare=compare, many=many)
        return place | {
            self.status: result.line,
            self.actions: gr.Row(visible=not result.small),
            self.download: gr.DownloadButton(value=result.files[0]),
            self.shown: result.files[0],
        }

    def place(
        self, *, preview: Any = None, compare: Any = None, many: gr.Gallery | None = None
    ) -> Updates:
        """Exactly what is given stands in the place of the result; nothing can be done with it."""
        updates: Updates = {
            self.actions: gr.Row(visible=False),  # they would act on what stood there before
            self.empty: gr.HTML(visible=False),
            self.preview: gr.Image(visible=False),
            self.slider: gr.ImageSlider(visible=False),
            self.many: gr.Gallery(visible=False),
        }
        if preview is not None:
            updates[self.preview] = gr.Image(preview, visible=True)
        if compare is not None:
            updates[self.slider] = gr.ImageSlider(compare, visible=True)
        if many is not None:
            updates[self.many] = many
        return updates

    def gallery(self, result: Result) -> gr.Gallery:
        """All pictures of a result."""
        pictures: list[Any] = list(result.files)
        if result.names:
            pictures = list(zip(result.files, result.names, strict=False))
        tiny = not result.small and result.record["width"] <= TINY
        return gr.Gallery(
            pictures,
            visible=True,
            columns=6 if tiny else 4 if result.small else 3,
            elem_classes=["sz-many", *(["sz-tiny"] if tiny else [])],
        )

    def again(self, earlier: Sequence[Result]) -> Updates:
        """What stood here before the previews of a run that failed: the latest result, or words."""
        if earlier and earlier[0].there:
            return self.present(earlier[0])
        return self.place() | {self.empty: gr.HTML(visible=True), self.status: ""}

    def pick(self, result: Result, path: str) -> Updates:
        """Show one picture of several, beside the photo."""
        updates: Updates = {
            self.actions: gr.Row(visible=True),
            self.download: gr.DownloadButton(value=path),
            self.shown: path,
        }
        if result.before:
            updates[self.slider] = gr.ImageSlider((result.before, path), visible=True)
        return updates

    def keep(
        self, result: Result, earlier: Sequence[Result], targets: Sequence[tuple[str, str]]
    ) -> Updates:
        """Show a result, and put it in front of the earlier ones of the session.

        Args:
            result: What has been made.
            earlier: Those before it.
            targets: Titles and names of the tabs that could take it for their photo.
        """
        return self.present(result) | self.file(result, earlier, targets)

    def file(
        self, result: Result, earlier: Sequence[Result], targets: Sequence[tuple[str, str]]
    ) -> Updates:
        """As :meth:`keep`, and show what is shown."""
        results = [result, *earlier][:KEPT]
        return {
            self.results: results,
            self.history: gr.Gallery(
                [(one.thumbnail, str(number)) for number, one in enumerate(results, 1)],
                visible=len(results) > 1,
            ),
            self.send: Dropdown(list(targets), value=None, visible=bool(targets)),
        }
