"""The whole site: one tab for each method, and an endpoint for each."""

import gradio as gr

from space import api, filming, parts, walks
from space.controls import GLUE
from space.custom import CUSTOM
from space.hub import Shelf
from space.jobs import LONGEST_QUEUE, Lane
from space.race import contestants
from space.site import Site
from space.speed import Speed
from space.tab import Tab
from zoo.methods import METHODS
from zoo.runtime import Runtime

TITLE = "Style Zoo"
TAGLINE = (
    "Turn a photo into a painting. Pictures stay on this server and are deleted after one hour."
)
CLEAN_EVERY, CLEAN_OLDER_THAN = 60, 3600  # seconds, for what Gradio keeps


def share(runtime: Runtime, shelf: Shelf | None = None, *, private: bool = False) -> Site:
    """What the tabs of one site share.

    Args:
        runtime: Runs the methods.
        shelf: Has the checkpoints; without one, what ships with the code.
        private: Whether only people at this machine can come.
    """
    lane = Lane(runtime.turn)
    speed = Speed(runtime, lane)
    return Site(runtime, lane, speed, shelf or Shelf(), private, tuple(CUSTOM))


def build_app(runtime: Runtime, site: Site | None = None) -> gr.Blocks:
    """Assemble the site; give ``site`` to keep hold of what its tabs share."""
    site = site or share(runtime)
    with gr.Blocks(
        title=TITLE,
        analytics_enabled=False,
        delete_cache=(CLEAN_EVERY, CLEAN_OLDER_THAN),
    ) as blocks:
        parts.header(TAGLINE)
        last_photo = gr.State(None)
        with gr.Tabs(overflow_behavior="wrap", elem_id="methods") as bar:
            site.place(bar, last_photo)
            for name in METHODS:
                tab = Tab(site, name)
                tab.build()
                site.tabs.append(tab)
            for build in CUSTOM.values():
                build(site)
        for tab in site.tabs:
            tab.wire()
        for tab in site.tabs:
            api.publish(tab.name, tab.form, site)
        if contestants(site):
            api.publish_compare(site)
        if filming.offered(site):
            api.publish_video(site)
        walks.publish_codes(site)
        api.publish_checkpoints(site)
        api.publish_download(site)
        blocks.load(
            site.arrive,
            None,
            site.settable,
            queue=False,
            show_progress="hidden",
            api_visibility="private",
        ).then(None, None, None, js="() => sz.arrived()", **GLUE)
    blocks.queue(max_size=4 * LONGEST_QUEUE, default_concurrency_limit=16)
    return blocks
