"""Many styles: one network that has learned many styles, and mixes them.

Source: Dumoulin, Shlens & Kudlur, A Learned Representation for Artistic Style (arXiv:1610.07629).
All styles share the convolutions; a style is the scale and shift of every instance normalisation,
a few thousand numbers. Mixing those numbers mixes styles, and a new style needs only new numbers.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from zoo.errors import InputError
from zoo.form import Control
from zoo.method import Content, Method, Paper, Strength, shares, title_of
from zoo.nn.blocks import Transform


@dataclass(frozen=True, kw_only=True)
class ManyStylesConfig:
    """What the weights are.

    Args:
        styles: What the styles are called, in their order.
        colors: Mean RGB of each style picture in [0, 1]: what results are held to.
        contrasts: Deviation of the luma of each, likewise.
        width: Channels of the first layer; 32 in the paper.
        published: Transposed convolutions and zero padding as in :class:`Transform`; this paper
            itself resizes and reflects, as the default does.
        loose: Whether the layers after the residual blocks go without normalisation, see
            :class:`Transform`; the paper's have it.
    """

    styles: tuple[str, ...] = ("style",)
    colors: tuple[tuple[float, float, float], ...] = ((0.5, 0.5, 0.5),)
    contrasts: tuple[float, ...] = (0.25,)
    width: int = 32
    published: bool = False
    loose: bool = False


class ManyStyles(Method):
    """One network for many styles."""

    name = "many_styles"
    title = "Many styles"
    summary = "One network that has learned many paintings, and mixes them."
    paper = Paper(
        "A Learned Representation For Artistic Style",
        "Vincent Dumoulin, Jonathon Shlens, Manjunath Kudlur",
        2016,
        "1610.07629",
    )
    checkpoint = "zoo/many-styles"
    Config = ManyStylesConfig
    multiple = 4
    config: ManyStylesConfig

    def __init__(self, config: ManyStylesConfig = ManyStylesConfig()) -> None:
        super().__init__(config)
        self.transform = Transform(
            config.width,
            len(config.styles),
            config.published,
            loose=config.loose,
        )

    @classmethod
    def offers(cls, config: ManyStylesConfig) -> dict[str, list[tuple[str, int]]]:
        """The paintings by name."""
        names = [(title_of(style), number) for number, style in enumerate(config.styles)]
        return {"painting": names, "second_painting": names}

    def forward(
        self,
        content: Content,
        *,
        painting: Annotated[
            int,
            Field(ge=0, le=999, title="Painting", description="Whose look to borrow."),
            Control(looks=True),
        ] = 0,
        second_painting: Annotated[
            int,
            Field(ge=0, le=999, title="Second painting", description="Mixed into the first one."),
        ] = 1,
        second_share: Annotated[
            float,
            Field(
                ge=0,
                le=1,
                title="Share of the second painting",
                description="0 paints with the first one alone.",
            ),
            Control(step=0.05),
        ] = 0.0,
        strength: Strength = 1.0,
        style_weights: Annotated[
            list[float],
            Field(
                title="Shares of all paintings",
                description="One number for each painting, in their order; empty for those above.",
            ),
            Control(more=True),
        ] = [],  # noqa: B006 read, never changed
    ) -> Tensor:
        """Repaint ``content`` in one pass.

        Raises InputError when a painting is not one of this checkpoint's.
        """
        count = len(self.config.styles)
        if style_weights:
            weights = shares(style_weights, count)
        else:
            weights = [0.0] * count
            for number, share in ((painting, 1 - second_share), (second_painting, second_share)):
                if share and number >= count:
                    raise InputError(
                        "There is no painting {number} in this checkpoint; it has 0 to {last}.",
                        number=number,
                        last=count - 1,
                    )
                if share:
                    weights[number] += share
        mix = content.new_tensor([weights])
        result = self.transform(content, mix, self.precision).clamp(0, 1)
        return torch.lerp(content, result, strength)
