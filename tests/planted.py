"""Methods with known faults, for whatever measures methods: slow, hungry, failing."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn

from zoo import checkpoint
from zoo.checkpoint import load as load_checkpoint
from zoo.errors import InputError
from zoo.form import Control
from zoo.method import Content, Method, Paper, Step, Style
from zoo.methods import METHODS
from zoo.runtime import Listed, Runtime

SLOWNESS = 0.5  # seconds; the others take some milliseconds
HUNGER = 100 * 10**6  # bytes; the others take some megabytes, and more would take time as well


@dataclass(frozen=True, kw_only=True)
class Nothing:
    """A network without choices."""


class Planted(Method):
    summary = "Planted."
    paper = Paper("None", "Nobody", 2026)
    Config: ClassVar[Callable[..., Any]] = Nothing

    def __init__(self, config: Any = Nothing()) -> None:
        super().__init__(config)
        self.gain = nn.Parameter(torch.tensor(0.5))


class Quick(Planted):
    name, title, checkpoint = "quick", "Quick", "zoo/quick"
    runs: ClassVar[int] = 0

    def forward(self, content: Content) -> Tensor:
        Quick.runs += 1
        return content * self.gain


class Painted(Planted):
    name, title, checkpoint = "painted", "Painted", "zoo/painted"

    def forward(self, content: Content, style: Style) -> Tensor:
        color = style.mean((2, 3), keepdim=True)
        return torch.lerp(content, color.expand_as(content), self.gain)


class Slow(Planted):
    name, title, checkpoint = "slow", "Slow", "zoo/slow"

    def forward(self, content: Content) -> Iterator[Step]:
        for number in range(1, 6):
            time.sleep(SLOWNESS / 5)
            yield Step(content * self.gain, number, 5)


class Hungry(Planted):
    name, title, checkpoint = "hungry", "Hungry", "zoo/hungry"

    def forward(self, content: Content) -> Tensor:
        eaten = torch.ones(HUNGER // 4)
        return content * self.gain * eaten[-1]


class Refusing(Planted):
    name, title, checkpoint = "refusing", "Refusing", "zoo/refusing"

    def forward(self, content: Content) -> Tensor:
        raise InputError("This photo is not to my taste.")


class Broken(Planted):
    name, title, checkpoint = "broken", "Broken", "zoo/broken"

    def forward(self, content: Content) -> Tensor:
        raise ZeroDivisionError("a secret")


@dataclass(frozen=True, kw_only=True)
class Album:
    """What the paintings of a planted method are called."""

    paintings: tuple[str, ...] = ("Night", "Noon", "Day")


class Several(Planted):
    """Knows some paintings by heart: each makes the photo brighter than the one before."""

    name, title, checkpoint = "several", "Several", "zoo/several"
    Config = Album

    def __init__(self, config: Album = Album()) -> None:
        super().__init__(config)

    @classmethod
    def offers(cls, config: Album) -> dict[str, list[tuple[str, int]]]:
        return {"painting": [(word, number) for number, word in enumerate(config.paintings)]}

    def forward(
        self, content: Content, *, painting: Annotated[int, Control(looks=True)] = 0
    ) -> Tensor:
        return content * self.gain * (1 + painting) / len(self.config.paintings)


ALL: tuple[type[Planted], ...] = (Quick, Painted, Slow, Hungry, Refusing, Broken, Several)


def plant(folder: Path, methods: Sequence[type[Planted]] = ALL) -> Runtime:
    """Write a checkpoint of each into ``folder``; the methods still have to be registered."""
    for method in methods:
        checkpoint.save(method(), folder / method.name)

    def fetch(repo_id: str, revision: str = "main", *, report: object = None) -> tuple[Path, str]:
        return folder / repo_id.removeprefix("zoo/"), "0123456789abcdef"

    def listing() -> list[Listed]:
        return [Listed(repo_id=method.checkpoint, method=method.name) for method in methods]

    return Runtime("cpu", fetch, listing)


def load(folder: Path) -> Method:
    """As checkpoint.load, in a process where nothing has been planted."""
    METHODS.update({method.name: method for method in ALL})
    return load_checkpoint(folder)
