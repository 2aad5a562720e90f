"""Johnson: a network that has learned one style and paints it in one pass.

Source: Johnson, Alahi & Fei-Fei, Perceptual Losses for Real-Time Style Transfer and
Super-Resolution (arXiv:1603.08155), with instance normalisation after Ulyanov, Vedaldi &
Lempitsky (arXiv:1607.08022), as in the models the authors released later.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.method import Content, Method, Paper, Strength, title_of
from zoo.nn.blocks import Transform


@dataclass(frozen=True, kw_only=True)
class JohnsonConfig:
    """What the weights are.

    Args:
        width: Channels of the first layer; 32 in the paper.
        style: What the style is called.
        color: Mean RGB of the style picture in [0, 1]: what the colours of results are held to.
        contrast: Deviation of its luma, likewise.
        published: The network as published, with its frame and checkerboard.
        bounded: Whether a tanh holds results to what pixels can be; else they are cut off.
        loose: Whether the layers after the residual blocks go without normalisation, see
            :class:`Transform`; the paper's have it.
    """

    width: int = 32
    style: str = ""
    color: tuple[float, float, float] = (0.5, 0.5, 0.5)
    contrast: float = 0.25
    published: bool = False
    bounded: bool = True
    loose: bool = False


class Johnson(Method):
    """One network for one style: the checkpoint is the style."""

    name = "johnson"
    title = "Johnson"
    summary = "A small network that has learned one style: the fastest method."
    paper = Paper(
        "Perceptual Losses for Real-Time Style Transfer and Super-Resolution",
        "Justin Johnson, Alexandre Alahi, Li Fei-Fei",
        2016,
        "1603.08155",
    )
    checkpoint = "zoo/johnson-great-wave"
    Config = JohnsonConfig
    multiple = 4
    config: JohnsonConfig

    def __init__(self, config: JohnsonConfig = JohnsonConfig()) -> None:
        super().__init__(config)
        self.transform = Transform(
            config.width,
            1,
            config.published,
            config.bounded,
            config.loose,
        )

    @classmethod
    def style_of(cls, config: JohnsonConfig) -> str:
        """The painting's name."""
        return title_of(config.style)

    def forward(self, content: Content, *, strength: Strength = 1.0) -> Tensor:
        """Repaint ``content`` in one pass."""
        mix = torch.ones(1, 1, device=content.device)
        result = self.transform(content, mix, self.precision).clamp(0, 1)
        return torch.lerp(content, result, strength)
