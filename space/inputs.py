"""The filled-in form of a tab: its controls read, checked, set and put into links."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import gradio as gr

from space.controls import GLUE, Entry
from space.links import settings_from
from space.pictures import at_hand, preset
from space.site import Updates
from zoo.errors import InputError
from zoo.form import Form


class Inputs:
    """The controls of a form, in its order.

    Args:
        form: What they ask for.
        entries: One for each field.

    Attributes:
        entries: In the order of the form.
        components: Of all entries: their values are what the other methods take.
    """

    def __init__(self, form: Form, entries: Sequence[Entry]) -> None:
        order = {one.name: place for place, one in enumerate(form)}
        self.form = form
        self.entries = sorted(entries, key=lambda one: order[one.field.name])
        self.components = [part for one in self.entries for part in one.components]

    def wire(self) -> None:
        """Show fields that count only with certain values of others only while these have them."""
        for one in self.entries:
            if names := one.field.control.only:
                others = [part for name in names for part in self.first(name)]
                updated = partial(self.offered, one.field.name, tuple(names))
                for component in one.components:
                    component.visible = self.form.effective(one.field.name, {}) is not None
                    for other in others:
                        other.change(updated, others, component, **GLUE)

    def offered(self, name: str, others: Sequence[str], *values: Any) -> Any:
        """An update of the field ``name``, seen only where it counts beside ``others``."""
        given = dict(zip(others, values, strict=True))
        return gr.update(visible=self.form.effective(name, given) is not None)

    def first(self, *names: str) -> list[Any]:
        """The first component of each of these fields that there is, in the order of the form."""
        return [one.components[0] for one in self.entries if one.field.name in names]

    def read(self, values: Sequence[Any]) -> dict[str, Any]:
        """Component values as the inputs of the form."""
        inputs = {one.field.name: one.read(*mine) for one, mine in self._each(values)}
        return {name: value for name, value in inputs.items() if value is not None}

    def picks(self, values: Sequence[Any]) -> dict[str, str]:
        """The examples that were picked, by field: the only pictures a setting can name."""
        return {
            one.field.name: mine[0]
            for one, mine in self._each(values)
            if len(mine) == 2 and not mine[1] and preset(one.field.name, mine[0])
        }

    def _each(self, values: Sequence[Any]) -> Iterator[tuple[Entry, Sequence[Any]]]:
        left = list(values)
        for one in self.entries:
            mine, left = left[: len(one.components)], left[len(one.components) :]
            yield one, mine

    def check(self, inputs: Mapping[str, Any]) -> None:
        """Refuse before queueing; raises InputError."""
        for one in self.form:
            if one.kind == "picture" and one.required and not inputs.get(one.name):
                if one.name == "content":
                    raise InputError("Add a photo first.")
                if one.name == "style":
                    raise InputError("Add a style picture.")
        for one in self.form:
            given = inputs.get(one.name) if one.is_picture else None
            for picture in given if isinstance(given, list) else [given]:
                if isinstance(picture, str):  # else painted here, or none
                    at_hand(picture)
        self.form.check(inputs)

    def show(self, settings: Mapping[str, Any]) -> Updates:
        """Updates that put settings into their places; unknown ones are left out."""
        usable = settings_from(self.form, settings)
        updates: Updates = {}
        for one in self.entries:
            if one.field.name in usable:
                shown = one.show(usable[one.field.name])
                updates |= dict(zip(one.components, shown, strict=True))
        return updates

    def link(self, tab: str, checkpoint: Any) -> tuple[list[Any], str]:
        """What makes a link to the settings, in the browser: no picture of a visitor's is in it.

        Args:
            tab: Its name.
            checkpoint: The component that has the name of the checkpoint.

        Returns:
            Components, and a script that takes their values.
        """
        shared = [one for one in self.entries if one.shareable]
        linked = [checkpoint, *(one.components[0] for one in shared)]
        names = ["checkpoint", *(one.field.name for one in shared)]
        words = json.dumps([tab, names, [part.value for part in linked]])
        return linked, f"(...values) => sz.copyLink({words}, values)"
