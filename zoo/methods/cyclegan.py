"""CycleGAN: two networks that translate between two kinds of picture, and undo each other.

Source: Zhu, Park, Isola & Efros, Unpaired Image-to-Image Translation using Cycle-Consistent
Adversarial Networks (arXiv:1703.10593). No pair of pictures shows the same thing in both kinds.
A translation is learned from three wishes: results look like the other kind to a discriminator,
the way there and back ends where it began, and a picture of the wanted kind is left alone.

The generator is that of Johnson et al. with nine residual blocks (six for 128 pixels).
"""

from dataclasses import dataclass
from typing import Annotated, cast

import torch
from pydantic import Field
from torch import Tensor, nn

from zoo.errors import InputError
from zoo.method import Content, Direction, Paper, Strength, Translation
from zoo.nn.blocks import autocast, conv
from zoo.nn.translation import Norm, Residual, block, enlarge, picture


@dataclass(frozen=True, kw_only=True)
class CycleGANConfig:
    """What the weights are.

    Args:
        width: Channels of the first layer; 64 in the paper.
        blocks: Residual blocks; 9 in the paper for 256 pixels and more, 6 for 128.
        domains: What people call the two kinds of picture.
        directions: Which ways the checkpoint knows.
        skip: The generators make a change that is added to the picture, not a whole picture.
        norm: Of all layers but the last; ``none`` for a change of photos, whose light and colours
            an instance normalisation takes away, and smuggles back in as droplets.
        published: The network as published, with transposed convolutions, zeros at the border of
            the strided layers and biases that the normalisation cancels.
    """

    width: int = 64
    blocks: int = 9
    domains: tuple[str, str] = ("A", "B")
    directions: tuple[str, ...] = ("AtoB", "BtoA")
    skip: bool = False
    norm: Norm = "instance"
    published: bool = False


class Generator(nn.Module):
    """One direction: encode to a quarter of the size, change, decode.

    Differs from the paper: unless ``published`` is set, features are resized before they are
    convolved and every border is a mirror. Transposed convolutions leave a checkerboard, zeros a
    frame. The layers and all other sizes are the paper's.

    Differs from the paper [skip]: what is made is a change that is added to the picture, for kinds
    that share their drawing, such as seasons; see :func:`zoo.nn.translation.picture`.
    """

    def __init__(
        self,
        width: int,
        blocks: int,
        published: bool = False,
        *,
        skip: bool = False,
        norm: Norm = "instance",
    ) -> None:
        super().__init__()
        self.skip = skip
        # Idle before a normalisation, where it would only drift.
        w, bias = width, published or norm == "none"
        self.body = nn.Sequential(
            block(3, w, 7, norm=norm, bias=bias),
            block(w, 2 * w, 3, 2, norm=norm, bias=bias, reflect=not published),
            block(2 * w, 4 * w, 3, 2, norm=norm, bias=bias, reflect=not published),
            *(Residual(4 * w, norm=norm, bias=bias) for _ in range(blocks)),
            enlarge(4 * w, 2 * w, norm=norm, bias=bias, published=published),
            enlarge(2 * w, w, norm=norm, bias=bias, published=published),
        )
        self.last = conv(w, 3, 7)

    def forward(self, images: Tensor, precision: torch.dtype = torch.float32) -> Tensor:
        """Translate ``(B, 3, H, W)`` in [-1, 1] to the same; 4 divides H and W, at least 8.

        Args:
            images: What to translate.
            precision: Of all but the last layer.
        """
        with autocast(images.device, precision):
            features = self.body(images)
        return picture(self.last(features.float()).float(), images if self.skip else None)


class CycleGAN(Translation):
    """Both directions in one checkpoint."""

    name = "cyclegan"
    title = "CycleGAN"
    summary = (
        "Turns one kind of picture into another and back: paintings to photos, summer to winter."
    )
    paper = Paper(
        "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks",
        "Jun-Yan Zhu, Taesung Park, Phillip Isola, Alexei A. Efros",
        2017,
        "1703.10593",
    )
    checkpoint = "zoo/cyclegan-chinese"
    Config = CycleGANConfig
    multiple = 8  # the innermost features then have the two pixels that a mirror needs
    bf16 = True
    config: CycleGANConfig

    def __init__(self, config: CycleGANConfig = CycleGANConfig()) -> None:
        super().__init__(config)
        self.generators = nn.ModuleDict(
            {
                direction: Generator(
                    config.width,
                    config.blocks,
                    config.published,
                    skip=config.skip,
                    norm=config.norm,
                )
                for direction in config.directions
            }
        )

    def forward(
        self,
        content: Content,
        *,
        direction: Direction = "AtoB",
        strength: Strength = 1.0,
        way_back: Annotated[
            bool,
            Field(
                title="Show the way back",
                description="Also what the other direction makes of the result.",
            ),
        ] = False,
    ) -> Tensor:
        """Translate ``content`` ``(B, 3, H, W)`` in one pass; the way back follows as a second.

        Returns ``(B, 3, H, W)``, or ``(2B, 3, H, W)`` with the way back; raises InputError for a
        way that it does not know.
        """
        if direction not in self.generators:
            raise InputError("This checkpoint knows one direction only. Choose the other one.")
        result = self.translated(content, direction, strength)
        if not way_back:
            return result
        other: Direction = "BtoA" if direction == "AtoB" else "AtoB"
        if other not in self.generators:
            raise InputError(
                "This checkpoint knows one direction only. Turn “Show the way back” off."
            )
        return torch.cat([result, self.translated(result, other, strength)])

    def translated(self, images: Tensor, direction: Direction, strength: float) -> Tensor:
        """Results ``(B, 3, H, W)`` of ``images``, both in [0, 1]."""
        generator = cast(Generator, self.generators[direction])
        result = 0.5 + 0.5 * generator(2 * images - 1, self.precision)
        return torch.lerp(images, result, strength)
