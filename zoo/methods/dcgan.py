"""DCGAN: pictures out of nothing but a hundred random numbers.

Source: Radford, Metz & Chintala, Unsupervised Representation Learning with Deep Convolutional
Generative Adversarial Networks (arXiv:1511.06434). A code is projected to 4 × 4 pixels of many
channels, and every further layer doubles the size and halves the channels.

The directions of the code's space have meanings that add up: a walk between two codes changes one
picture into the other by way of pictures, and differences between codes can be added.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from zoo.codes import Coded, CodeText, Seeds, slerp, truncated
from zoo.form import Control
from zoo.method import Direction, Method, Paper
from zoo.nn.blocks import Doubled, autocast, conv

UNTOUCHED = 4.0  # truncation beyond which hardly any number of a code lies


@dataclass(frozen=True, kw_only=True)
class DCGANConfig:
    """What the weights are.

    Args:
        width: Channels of the last layer but one; 64 in the published code.
        size: Side of the pictures in pixels, a power of two from 16 on; 64 in the paper.
        code_size: How many numbers a code has.
        published: The layers as published, with transposed convolutions.
    """

    width: int = 64
    size: int = 64
    code_size: int = 100
    published: bool = False


class Generator(nn.Module):
    """From a code to a picture.

    Differs from the paper: unless ``published`` is set, features are resized and convolved with
    3 × 3 kernels that mirror the border, where the paper has transposed convolutions of 4 × 4,
    which leave a mild checkerboard. Every doubling of the size beyond 64 adds a layer, none wider
    than eight times ``width``.
    """

    def __init__(self, config: DCGANConfig) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels, side = config.code_size, 1
        while side < config.size // 2:
            after = min(config.width * config.size // (4 * max(side, 2)), 8 * config.width)
            if side == 1:
                layers.append(nn.ConvTranspose2d(channels, after, 4, bias=False))
            else:
                layers += enlarge(channels, after, config.published, bias=False)
            layers += [nn.BatchNorm2d(after), nn.ReLU()]
            channels, side = after, max(4, 2 * side)
        self.body = nn.Sequential(*layers)
        bias = not config.published
        self.last = nn.Sequential(*enlarge(channels, 3, config.published, bias=bias))

    def forward(self, codes: Tensor, precision: torch.dtype = torch.float32) -> Tensor:
        """Map ``(B, code_size)`` to pictures ``(B, 3, size, size)`` in [-1, 1].

        Args:
            codes: Standard normal.
            precision: Of all but the last layer.
        """
        with autocast(codes.device, precision):
            features = self.body(codes[:, :, None, None])
        return torch.tanh(self.last(features.float()).float())


def enlarge(inputs: int, outputs: int, published: bool, *, bias: bool) -> list[nn.Module]:
    """What doubles the size: as published, or a resize and a convolution."""
    if published:
        return [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=bias)]
    return [Doubled(), conv(inputs, outputs, bias=bias)]


class DCGAN(Method, Coded):
    """Pictures drawn from codes; there is no photo to repaint."""

    name = "dcgan"
    title = "DCGAN"
    summary = "Invents small painted portraits; send one to a style tab to repaint it."
    paper = Paper(
        "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial "
        "Networks",
        "Alec Radford, Luke Metz, Soumith Chintala",
        2015,
        "1511.06434",
    )
    checkpoint = "zoo/dcgan"
    Config = DCGANConfig
    bf16 = True
    config: DCGANConfig

    def __init__(self, config: DCGANConfig = DCGANConfig()) -> None:
        super().__init__(config)
        self.code_size = config.code_size
        self.generator = Generator(config)

    def forward(
        self,
        *,
        samples: Annotated[
            int, Field(ge=1, le=64, title="Pictures", description="How many pictures to draw.")
        ] = 16,
        seed: Seeds = 0,
        truncation: Annotated[
            float,
            Field(
                ge=0.25,
                le=UNTOUCHED,
                title="Truncation",
                description="Smaller draws more ordinary pictures, which resemble each other more.",
            ),
            Control(step=0.05),
        ] = UNTOUCHED,
        walk_to: Annotated[
            int,
            Field(
                ge=-1,
                le=2**31 - 1,
                title="Walk to seed",
                description="The pictures change from the first one into that of this seed; -1 for "
                "pictures of their own.",
            ),
            Control(more=True),
        ] = -1,
        code: CodeText = "",
    ) -> Tensor:
        """Draw pictures ``(samples, 3, size, size)`` in [0, 1].

        A ``code`` takes the place of the first picture's seed: alone it gives one picture.
        Raises InputError when it is not ``code_size`` numbers.
        """
        own = bool(code.strip())
        first = self.code_from_text(code) if own else self.codes(seed, 1)
        if walk_to >= 0:
            shares = torch.linspace(0, 1, samples).tolist()
            chosen = slerp(first, self.codes(walk_to, 1), shares)
        else:
            chosen = first if own else self.codes(seed, samples)
        if truncation < UNTOUCHED:
            chosen = truncated(chosen, truncation)
        return self.render(None, chosen)

    def render(
        self, content: Tensor | None, codes: Tensor, direction: Direction = "AtoB"
    ) -> Tensor:
        """One picture for each of ``codes`` ``(n, code_size)``; the rest is not looked at."""
        device = next(self.parameters()).device
        return 0.5 + 0.5 * self.generator(codes.to(device), self.precision)
