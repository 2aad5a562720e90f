"""Tabs that no form can express, one file each, in the order they are shown after the methods."""

from collections.abc import Callable

from space import explorer
from space.custom import compare, explore, video, zoo

# Name of the tab -> the function that lays it out, given what the tabs share.
CUSTOM: dict[str, Callable[..., None]] = {
    explorer.NAME: explore.build,
    compare.NAME: compare.build,
    video.NAME: video.build,
    "zoo": zoo.build,
}
