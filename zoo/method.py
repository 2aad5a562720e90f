"""What a method is: an ``nn.Module`` whose ``forward`` signature is its form."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from zoo.card import CardFacts
from zoo.errors import InputError
from zoo.form import Control, Picture

Content = Annotated[Tensor, Picture(), Field(title="Photo", description="The picture to repaint.")]
Style = Annotated[
    Tensor, Picture(), Field(title="Style picture", description="The picture whose look to borrow.")
]
MoreStyles = Annotated[
    list[Style],
    Field(max_length=4, title="More style pictures", description="Blended with the first one."),
    Control(more=True),
]
StyleShares = Annotated[
    list[float],
    Field(
        title="Shares of the style pictures",
        description="One number for each, first picture first; empty for equal shares.",
    ),
    Control(more=True),
]
ContentRegions = Annotated[
    Tensor | None,
    Picture(over="content"),
    Field(
        title="Regions of the photo",
        description="A label map: what has one colour here takes after what has that colour in "
        "the style's.",
    ),
    Control(more=True),
]
StyleRegions = Annotated[
    Tensor | None,
    Picture(over="style"),
    Field(
        title="Regions of the style",
        description="A label map of the first style picture in the same colours. Give both or "
        "none.",
    ),
    Control(more=True),
]
Strength = Annotated[
    float,
    Field(ge=0, le=1, title="Strength", description="0 keeps the photo as it is."),
    Control(step=0.05),
]
Seed = Annotated[
    int,
    Field(ge=0, le=2**31 - 1, title="Seed", description="Same seed, same result."),
    Control(more=True),
]
Direction = Annotated[
    Literal["AtoB", "BtoA"],
    Field(
        title="Direction", description="Which way to translate between the two kinds of picture."
    ),
    Control(words={"AtoB": "There", "BtoA": "And back"}),
]


@dataclass(frozen=True)
class Paper:
    """Where a method comes from: a number on arXiv, or another page."""

    title: str
    authors: str
    year: int
    arxiv: str = ""
    page: str = ""

    @property
    def url(self) -> str:
        """Page of the paper's abstract."""
        return self.page or f"https://arxiv.org/abs/{self.arxiv}"


@dataclass(frozen=True)
class Step:
    """One look at unfinished work.

    ``images`` is ``(B, 3, H, W)`` in [0, 1], a copy that later steps leave alone.
    """

    images: Tensor
    number: int
    total: int


class Method(nn.Module):
    """Base of every style-transfer method.

    A subclass gives the class variables below and a ``forward`` that takes pictures as float RGB
    tensors ``(1, 3, H, W)`` in [0, 1] and keyword options, and either returns
    ``(B, 3, H, W)`` in [0, 1] or yields a :class:`Step` while it works and when it is done.
    The annotations of ``forward`` are its form: the tab, the command line and the API follow them.
    """

    name: ClassVar[str]  # stem of its files, endpoint and command-line word
    title: ClassVar[str]  # what people read
    summary: ClassVar[str]  # one sentence under the title of its tab
    paper: ClassVar[Paper]
    checkpoint: ClassVar[str]  # repo_id used where none is asked for
    Config: ClassVar[Callable[..., Any]]  # frozen dataclass that rebuilds the networks
    multiple: ClassVar[int] = 8  # sides are padded to a multiple of this
    bf16: ClassVar[bool] = False  # whether `forward` heeds a `precision` of bfloat16
    films: ClassVar[bool] = True  # whether it is quick enough to repaint every frame of a video

    forward: Callable[..., Tensor | Iterator[Step]]

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        self.precision = torch.float32  # of the networks inside; pictures stay float32

    @classmethod
    def offers(cls, config: Any) -> Mapping[str, Sequence[tuple[str, Any]]]:
        """Values that a checkpoint's ``Config`` gives names to, by field: a word for each value."""
        return {}

    @classmethod
    def style_of(cls, config: Any) -> str:
        """What to call the one style that a checkpoint has learned; "" where it tells none."""
        return ""

    def settled(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """The arguments that ``forward`` gets, and the record of how a result was made.

        A method may put into words here what a picture among them says, for a record has no
        pictures: whoever gives those words again gets the same result.
        """
        return arguments

    @classmethod
    def from_pretrained(
        cls,
        source: str | Path,
        revision: str = "main",
        *,
        endpoint: str | None = None,
        token: str | None = None,
        cache_dir: Path | None = None,
    ) -> Self:
        """Rebuild a method from a checkpoint: float32, on the CPU, frozen.

        Args:
            source: A folder, or a ``repo_id`` on a hub; ``zoo/…`` that ships with the code needs
                no hub, unless one is named.
            revision: Branch, tag or commit; ``repo_id@revision`` does the same.
            endpoint: The hub's address; else HF_ENDPOINT, else huggingface.co.
            token: The hub's token; else ZOO_HUB_TOKEN.
            cache_dir: Where downloads are kept; else ZOO_CACHE.

        Raises CheckpointError, RepoNotFoundError, RevisionNotFoundError, HubUnavailableError or
        DiskFullError, each with a sentence for people.
        """
        # These three look up what lies above this module, when called and never at import.
        from zoo import pretrained
        from zoo.hub.client import connect

        client = connect(endpoint, token=token, cache_dir=cache_dir)
        return pretrained.load(cls, source, revision, client)

    def save_pretrained(
        self,
        folder: str | Path,
        *,
        facts: CardFacts | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """Write a checkpoint with a card; :meth:`from_pretrained` reads it.

        Args:
            folder: Where; made if need be.
            facts: What the card says. Without them a card that is there stays.
            dtype: Precision on disk; float16 halves the size.
        """
        from zoo import pretrained

        pretrained.save(self, Path(folder), facts, dtype)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        facts: CardFacts | None = None,
        message: str = "Upload checkpoint",
        private: bool = False,
        dtype: torch.dtype = torch.float32,
        endpoint: str | None = None,
        token: str | None = None,
    ) -> str:
        """Publish this method on a hub, making the repository if need be; returns the commit.

        Args:
            repo_id: ``owner/name``.
            facts: What the card says. Without them a card that the repository has stays.
            message: Of the commit.
            private: Whether a repository made by this is private.
            dtype: Precision on disk.
            endpoint: The hub's address; else HF_ENDPOINT, else huggingface.co.
            token: The hub's token; else ZOO_HUB_TOKEN.

        Raises InputError without a token, ZooError where it may not write, HubUnavailableError.
        """
        from zoo import pretrained
        from zoo.hub.client import connect

        client = connect(endpoint, token=token)
        return pretrained.push(
            self, repo_id, client, facts=facts, message=message, private=private, dtype=dtype
        )


def title_of(style: str) -> str:
    """What to call a style: "kandinsky_composition-vii" is "Composition VII (Kandinsky)"."""
    artist, _, work = style.replace("-", " ").title().rpartition("_")
    work = re.sub(r" (?:Of|With|A|The)(?= )", lambda found: found[0].lower(), work)
    work = re.sub(r"\b[IVX][ivx]+\b", lambda found: found[0].upper(), work)
    return f"{work} ({artist})" if artist else work


class Translation(Method):
    """A method between two kinds of picture, which its ``Config`` has as ``domains``."""

    @classmethod
    def offers(cls, config: Any) -> dict[str, list[tuple[str, Any]]]:
        """The directions by the names of the domains."""
        return both_ways(config.domains)

    @classmethod
    def style_of(cls, config: Any) -> str:
        """The two kinds of picture."""
        return " ↔ ".join(config.domains)


def both_ways(domains: Sequence[str]) -> dict[str, list[tuple[str, Any]]]:
    """What the two directions between ``domains`` A and B are called, as :meth:`Method.offers`."""
    first, second = domains
    return {"direction": [(f"{first} → {second}", "AtoB"), (f"{second} → {first}", "BtoA")]}


def shares(weights: list[float], count: int) -> list[float]:
    """Normalise the shares of ``count`` style pictures to a sum of 1; none given means equal.

    Raises InputError when their number is another, one is negative or all are 0.
    """
    if not weights:
        return [1 / count] * count
    if len(weights) != count:
        raise InputError(
            "Shares of the style pictures: there are {given} shares for {count} pictures. Give "
            "one number for each picture.",
            given=len(weights),
            count=count,
        )
    if min(weights) < 0 or sum(weights) <= 0:
        raise InputError(
            "Shares of the style pictures: use numbers of 0 and above, at least one above 0."
        )
    return [weight / sum(weights) for weight in weights]
