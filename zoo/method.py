"""What a method is: an ``nn.Module`` whose ``forward`` signature is its form."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from zoo.form import Control, Picture

Content = Annotated[Tensor, Picture(), Field(title="Photo", description="The picture to repaint.")]
Style = Annotated[
    Tensor, Picture(), Field(title="Style picture", description="The picture whose look to borrow.")
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


@dataclass(frozen=True)
class Paper:
    """Where a method comes from."""

    title: str
    authors: str
    year: int
    arxiv: str

    @property
    def url(self) -> str:
        """Page of the paper's abstract."""
        return f"https://arxiv.org/abs/{self.arxiv}"


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

    forward: Callable[..., Tensor | Iterator[Step]]

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        self.precision = torch.float32  # of the networks inside; pictures stay float32
