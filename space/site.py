"""What all tabs of the site share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gradio as gr

from space.hub import Shelf
from space.jobs import Job, Lane, Series
from space.speed import Speed
from space.words import spoken
from zoo.runtime import Runtime

if TYPE_CHECKING:
    from space.tab import Tab

Updates = dict[Any, Any]  # what becomes of components of the page


@dataclass
class Site:
    """What all tabs share.

    Args:
        runtime: The device and the checkpoints.
        lane: Whose turn it is.
        speed: How long work takes here.
        shelf: What checkpoints there are, and where.
        private: Whether only people at this machine can come.
        others: The tabs that no form makes.
    """

    runtime: Runtime
    lane: Lane
    speed: Speed
    shelf: Shelf = field(default_factory=Shelf)
    private: bool = False
    others: tuple[str, ...] = ()
    tabs: list["Tab"] = field(default_factory=list)
    running: dict[tuple[str | None, str], Job | Series] = field(default_factory=dict)

    def place(self, bar: gr.Tabs, last_photo: gr.State) -> None:
        """Take the row of tabs, and the session's last accepted photo."""
        self.bar, self.last_photo = bar, last_photo

    @property
    def photo_tabs(self) -> list["Tab"]:
        """The tabs that take a photo."""
        return [tab for tab in self.tabs if tab.photo is not None]

    def targets(self, name: str) -> list["Tab"]:
        """The tabs that can take a result of the tab of this name for their photo."""
        return [tab for tab in self.photo_tabs if tab.name != name]

    @property
    def settable(self) -> list[Any]:
        """Everything that a link or a file can set."""
        parts = (part for tab in self.tabs for part in (*tab.settable, tab.stage.status))
        return [self.bar, *parts]

    def recall(
        self, method: str, checkpoint: str, settings: Mapping[str, Any], language: str
    ) -> Updates:
        """Open a method's tab with these settings; an unknown method changes nothing."""
        for tab in self.tabs:
            if tab.name == method:
                bar = gr.Tabs(selected=method)
                return {self.bar: bar} | tab.recall(checkpoint, settings, language)
        return {}

    def recall_record(self, record: Mapping[str, Any] | None, request: gr.Request) -> Updates:
        """As :meth:`recall`, from the record inside a picture."""
        if not record:
            return {}
        parts = record["method"], record["checkpoint"], record["settings"]
        return self.recall(*parts, spoken(request))

    def arrive(self, request: gr.Request) -> Updates:
        """When the page has loaded: what there is now, and what its link asks for."""
        updates: Updates = {tab.hint: tab.hint_for(spoken(request)) for tab in self.tabs}
        for tab in self.tabs:
            updates |= tab.choice.now()
        asked = dict(request.query_params)
        if asked.get("tab") in self.others:
            return updates | {self.bar: gr.Tabs(selected=asked["tab"])}
        tab, checkpoint = asked.get("tab", ""), asked.get("checkpoint", "")
        return updates | self.recall(tab, checkpoint, asked, spoken(request))
