"""What can be picked in a tab: a checkpoint, and the styles that checkpoints know by heart."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import gradio as gr

from space import parts, status
from space.components import Dropdown
from space.controls import Entry, entry, look_options
from space.pictures import served
from space.site import Updates
from space.words import say, t
from zoo.card import thumbnail_name
from zoo.form import Field, Form
from zoo.method import Method, Translation
from zoo.runtime import Listed, Runtime

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class Look:
    """A style that a checkpoint knows by heart.

    Args:
        name: What it is called.
        repo_id: The checkpoint.
        settings: What picks it there.
    """

    name: str
    repo_id: str
    settings: Mapping[str, Any]


class Choice:
    """The checkpoints of a method, what each has names for, and where one is picked on the page.

    Args:
        runtime: Knows the checkpoints.
        method: Whose tab it is.
        form: Of the tab.

    Attributes:
        look: The field whose values are styles that one checkpoint has learned; "" for none.
        is_the_style: Whether a checkpoint is a style: the photo is the only picture then.
        by_thumbnail: Whether a checkpoint is picked by what it makes of a photo.
        picked: The component that has the name of the checkpoint.
        every: The button that tries all styles, where there is one.
    """

    def __init__(self, runtime: Runtime, method: type[Method], form: Form) -> None:
        self.runtime, self.method, self.name = runtime, method, method.name
        self.look = next((one.name for one in form if one.control.looks), "")
        pictures = [one.name for one in form if one.is_picture]
        self.is_the_style = pictures == ["content"] and not self.look
        self.by_thumbnail = self.is_the_style or issubclass(method, Translation)
        self.picked: Any = None
        self.every: Any = None

    # ---- what there is

    @property
    def checkpoints(self) -> list[Listed]:
        """The checkpoints that there are now, the default first."""
        return self.runtime.checkpoints(self.name)

    def named(self, repo_id: object) -> Listed | None:
        """The checkpoint of this name, where there is one."""
        return next((one for one in self.checkpoints if one.repo_id == repo_id), None)

    def offers(self, repo_id: object) -> Mapping[str, Sequence[tuple[str, Any]]]:
        """What a checkpoint has names for, by field; nothing where it does not tell."""
        return self._told(self.named(repo_id), self.method.offers) or {}

    def looks(self, repo_id: str) -> list[Look]:
        """All styles known by heart: of this checkpoint, or one of each checkpoint."""
        if self.look:
            offered = self.offers(repo_id).get(self.look, ())
            return [Look(word, repo_id, {self.look: value}) for word, value in offered]
        if not self.is_the_style:
            return []
        return [Look(name, repo_id, {}) for name, repo_id in self._choices()]

    def renamed(self, entries: Sequence[Entry]) -> list[Entry]:
        """Those of ``entries`` whose values have other names with another checkpoint."""
        names = self.offers(self.method.checkpoint)
        return [one for one in entries if one.field.name in names]

    def _told(self, listed: Listed | None, ask: Callable[[Any], T]) -> T | None:
        """What the method says to the config of a checkpoint; None where it makes no sense."""
        try:
            return ask(self.method.Config(**listed.config)) if listed else None
        except (TypeError, ValueError, AttributeError):  # somebody else's config.json
            log.info("%s has a config of another form", listed)
            return None

    def _choices(self) -> list[tuple[str, str]]:
        """What the checkpoints are called, and their names."""
        listing = self.checkpoints
        if not listing:
            return [(status.short(self.method.checkpoint), self.method.checkpoint)]
        styles: list[str | None] = [None] * len(listing)
        if self.by_thumbnail:
            styles = [self._told(one, self.method.style_of) for one in listing]
        # Where two checkpoints have learned the same style, their names tell them apart.
        return [
            (
                style if style and styles.count(style) == 1 else status.short(one.repo_id),
                one.repo_id,
            )
            for one, style in zip(listing, styles, strict=True)
        ]

    def _options(self) -> list[dict[str, str]]:
        """The checkpoints for a picker."""
        known = {one.repo_id: one for one in self.checkpoints}
        return [
            {"id": name, "name": words, "src": addresses(known.get(name)).get(thumbnail_name(), "")}
            for words, name in self._choices()
        ]

    # ---- on the page

    def lay_out_looks(self, fields: Sequence[Field]) -> list[Entry]:
        """Thumbnails to pick the style by, of ``fields`` or checkpoints, and what tries them all.

        Returns:
            The entries of ``fields``.
        """
        thumbnails = addresses(self.named(self.method.checkpoint))
        entries = [entry(one, self.name, thumbnails) for one in fields]
        if self.by_thumbnail:
            options = self._options()
            self.picked = parts.picker(
                "Style", options, options[0]["id"], f"{self.name}-checkpoint"
            )
            self.picked.visible = len(options) > 1
        if fields or self.is_the_style:
            self.every = gr.Button(
                t("Try all styles"),
                size="md",
                visible=len(self.looks(self.method.checkpoint)) > 1,
                elem_id=f"{self.name}-every",
                elem_classes="sz-every",
            )
        return entries

    def lay_out_list(self) -> None:
        """A list of the checkpoints, where there are no thumbnails to pick one by."""
        if self.by_thumbnail:
            return
        choices = self._choices()
        self.picked = Dropdown(
            choices,
            value=choices[0][1],
            label=t("Checkpoint"),
            info=t("The trained weights to use."),
            visible=len(choices) > 1,
            elem_id=f"{self.name}-checkpoint",
        )

    def now(self, wanted: str | None = None) -> Updates:
        """Offer the checkpoints that there are now, and pick ``wanted``."""
        picked: dict[str, Any] = {"value": wanted} if wanted else {}
        if not self.by_thumbnail:
            choices = self._choices()
            return {self.picked: Dropdown(choices, visible=len(choices) > 1, **picked)}
        options = self._options()
        properties = parts.choices_of("Style", options, f"{self.name}-checkpoint")
        several = len(options) > 1
        updates: Updates = {self.picked: gr.HTML(visible=several, **properties, **picked)}
        return updates | ({self.every: gr.Button(visible=several)} if self.every else {})

    def rename(
        self, entries: Sequence[Entry], language: str, repo_id: str, values: Sequence[Any]
    ) -> list[Any]:
        """Another checkpoint was picked: offer what it has; a value that it has not is reset.

        Args:
            entries: From :meth:`renamed`.
            language: The visitor's.
            repo_id: The checkpoint.
            values: Of ``entries``.

        Returns:
            An update for each of ``entries``.
        """
        offers = self.offers(repo_id)
        updates = []
        for one, value in zip(entries, values, strict=True):
            words = offers.get(one.field.name) or [(str(one.field.default), one.field.default)]
            there = [known for _, known in words]
            offered: dict[str, Any] = {
                "choices": [(say(language, word), known) for word, known in words]
            }
            if one.field.control.looks:
                there = [str(known) for known in there]
                field = replace(one.field, control=replace(one.field.control, offers=tuple(words)))
                options = look_options(field, addresses(self.named(repo_id)))
                elem_id = one.components[0].elem_id
                offered = parts.choices_of(one.field.label, options, elem_id)
            updates.append(gr.update(value=value if value in there else there[0], **offered))
        return updates


def addresses(listed: Listed | None) -> dict[str, str]:
    """Where a page finds the small pictures of a checkpoint, by their names."""
    return {
        name: served(path.read_bytes(), path.suffix)
        for name, path in (listed.thumbnails if listed else {}).items()
        if path.is_file()
    }
