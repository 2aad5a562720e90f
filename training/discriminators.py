"""Discriminators: networks that training needs and a checkpoint does not hold."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.adversarial import AdversarialTrainer, mean_of_processes
from zoo.errors import InputError
from zoo.nn.translation import Norm, block
from zoo.nn.vgg import VGG19, vgg19


def patches(
    width: int = 64, layers: int = 3, norm: Norm = "instance", inputs: int = 3
) -> nn.Sequential:
    """Judge overlapping patches, 70 × 70 pixels with three layers (Isola et al., arXiv:1611.07004).

    Args:
        width: Channels of the first layer; they double up to eight times as many.
        layers: How many of stride 2.
        norm: Of all layers but the first and the last.
        inputs: Channels of the pictures.

    Returns:
        Layers that map ``(B, inputs, H, W)`` in [-1, 1] to scores ``(B, 1, h, w)``, without
        sigmoid; 256 pixels become 30.
    """

    def layer(before: int, after: int, stride: int, norm: Norm) -> nn.Sequential:
        return block(before, after, 4, stride, norm=norm, activation="leaky", reflect=False)

    rows: list[nn.Module] = [layer(inputs, width, 2, "none")]
    channels = width
    for number in range(1, layers + 1):
        after = width * min(2**number, 8)
        rows.append(layer(channels, after, 2 if number < layers else 1, norm))
        channels = after
    rows.append(nn.Conv2d(channels, 1, 4, padding=1))
    return nn.Sequential(*rows)


def cartoon(width: int = 32) -> nn.Sequential:
    """Judge edges and flat colours, wherever they are, as CartoonGAN does (Chen et al. 2018).

    Args:
        width: Channels of the first layer.

    Returns:
        Layers that map ``(B, 3, H, W)`` in [-1, 1] to scores ``(B, 1, H / 4, W / 4)``, without
        sigmoid.
    """

    def layer(before: int, after: int, stride: int = 1, norm: Norm = "affine") -> nn.Sequential:
        return block(
            before, after, 3, stride, norm=norm, activation="leaky", slope=0.2, reflect=False
        )

    w = width
    return nn.Sequential(
        layer(3, w, norm="none"),
        layer(w, 2 * w, 2, "none"),
        layer(2 * w, 4 * w),
        layer(4 * w, 4 * w, 2, "none"),
        layer(4 * w, 8 * w),
        layer(8 * w, 8 * w),
        nn.Conv2d(8 * w, 1, 3, padding=1),
    )


class MultiScale(nn.Module):
    """Judge a picture at several sizes, each half the one before.

    Args:
        width: Channels of the first layer; they double with each.
        scales: How many sizes.
        layers: How many of stride 2 at each size.
        norm: Of all layers but the first and the last.
        slope: Of the activations below 0.
    """

    def __init__(
        self,
        width: int = 64,
        scales: int = 3,
        layers: int = 4,
        norm: Norm = "none",
        slope: float = 0.2,
    ) -> None:
        super().__init__()
        self.scales = nn.ModuleList()
        for _ in range(scales):
            rows: list[nn.Module] = []
            channels = 3
            for number in range(layers):
                after = width * 2**number
                rows.append(
                    block(
                        channels,
                        after,
                        4,
                        2,
                        norm=norm if number else "none",
                        activation="leaky",
                        slope=slope,
                    )
                )
                channels = after
            rows.append(nn.Conv2d(channels, 1, 1))
            self.scales.append(nn.Sequential(*rows))

    def forward(self, images: Tensor) -> list[Tensor]:
        """Map ``(B, 3, H, W)`` in [-1, 1] to scores ``(B, 1, h, w)`` of each size."""
        scores = []
        for number, judge in enumerate(self.scales):
            if number:
                images = F.avg_pool2d(images, 3, 2, 1, count_include_pad=False)
            scores.append(judge(images))
        return scores


class BatchDeviation(nn.Module):
    """Tell a discriminator how much a batch varies, as one channel more.

    Karras et al. (arXiv:1710.10196): a generator that has collapsed is then easily found out.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Map ``(B, C, H, W)`` to ``(B, C + 1, H, W)``."""
        found = features.float()
        moments = torch.stack([found.mean(0), found.square().mean(0)])
        mean, power = mean_of_processes(moments)
        deviation = (power - mean.square()).clamp(min=1e-8).sqrt().mean()
        shape = (len(features), 1, *features.shape[2:])
        return torch.cat([features, deviation.to(features.dtype).expand(shape)], 1)


def pyramid(size: int, width: int = 64, published: bool = False) -> nn.Sequential:
    """Judge whole pictures, as DCGAN does (Radford et al., arXiv:1511.06434).

    Args:
        size: Side of the pictures in pixels, a power of two from 16 on.
        width: Channels of the first layer; they double up to eight times as many.
        published: With batch normalisation. Else there is none (it lets one bad picture change the
            judgement of the others) and the last layer is told the deviation of the batch.

    Returns:
        Layers that map ``(B, 3, size, size)`` in [-1, 1] to scores ``(B, 1, 1, 1)``.
    """
    rows: list[nn.Module] = []
    channels, side = 3, size
    while side > 4:
        after = min(2 * channels, 8 * width) if rows else width
        norm: Norm = "batch" if published and rows else "none"
        rows.append(
            block(
                channels,
                after,
                4,
                2,
                norm=norm,
                activation="leaky",
                reflect=False,
                bias=not published,
            )
        )
        channels, side = after, side // 2
    if not published:
        rows.append(BatchDeviation())
        channels += 1
    rows.append(nn.Conv2d(channels, 1, 4, bias=not published))
    return nn.Sequential(*rows)


# Root of the mean square of what the Caffe weights see in photos of 256 pixels, to one digit.
SEEN = {"relu2_1": 200.0, "relu3_1": 300.0, "relu4_1": 1000.0, "relu5_1": 150.0}

LEAST = 32  # pixels a side that the deepest of them needs


class Projected(nn.Module):
    """Judge what a frozen VGG-19 sees in a picture, at four depths.

    Sauer, Chitta, Müller & Geiger, Projected GANs Converge Faster (arXiv:2111.01007): who knows
    what pictures are made of need not learn it from a few hundred of them. Fixed random
    projections mix the channels, so that a discriminator cannot rest on the few that tell most.
    Bound it by :func:`zoo.nn.translation.spectral`, and let it play for the hinge.

    Differs from the paper: VGG-19, as for all methods here, and features of several depths are not
    mixed with each other.

    Args:
        encoder: Frozen, with the Caffe weights; borrowed, so neither saved nor trained.
        width: Channels of the projections; the layers after them have as many.
        shift: Pixels at most by which pictures are shifted, down and to the right. A pool passes
            gradients on to places of its own grid alone. That of an upsampling generator lies on
            it, and would take its stripes for details.
        random: A source for these shifts, asked each time; alike in all processes.
    """

    def __init__(
        self,
        encoder: VGG19,
        width: int = 64,
        shift: int = 0,
        random: Callable[[], np.random.Generator] = np.random.default_rng,
    ) -> None:
        super().__init__()
        self.borrowed = (encoder,)  # a module in a tuple is no part of this one
        self.shift, self.random = shift, random
        self.heads = nn.ModuleDict()
        for layer in SEEN:
            channels = min(64 * 2 ** (int(layer[4]) - 1), 512)
            projection = torch.randn(width, channels, 1, 1) / channels**0.5
            self.register_buffer(f"projection_{layer}", projection)
            self.heads[layer] = nn.Sequential(
                block(width, width, 4, 2, norm="none", activation="leaky", reflect=False),
                block(width, width, 3, norm="none", activation="leaky", reflect=False),
                nn.Conv2d(width, 1, 1),
            )

    def forward(self, images: Tensor) -> list[Tensor]:
        """Map ``(B, 3, H, W)`` in [-1, 1] to scores ``(B, 1, h, w)``, one map for each depth.

        Pictures have :data:`LEAST` pixels a side, and those that shifts cut off.
        """
        (encoder,) = self.borrowed
        if self.shift:
            down, right = self.random().integers(self.shift + 1, size=2).tolist()
            height, width = (side - self.shift for side in images.shape[2:])
            images = images[..., down : down + height, right : right + width]
        features = encoder(0.5 + 0.5 * images.float(), list(SEEN))
        scores = []
        for layer, head in self.heads.items():
            projection = self.get_buffer(f"projection_{layer}").to(features[layer].dtype)
            mixed = F.conv2d(features[layer] / SEEN[layer], projection)
            scores.append(head(mixed.to(projection.dtype)))
        return scores


def judge_for(trainer: AdversarialTrainer[Any], usual: Callable[[], nn.Module]) -> nn.Module:
    """A fresh discriminator, as the recipe of ``trainer`` asks for it.

    Where it asks for features, a network that looks at those takes the place of the ``usual`` one.

    Raises InputError when the crops are too small for features.
    """
    recipe = trainer.recipe
    if recipe.judged == "pixels":
        return usual()
    least = LEAST + recipe.shift
    if recipe.size < least:
        raise InputError(
            "Size: {size} pixels are too few to judge their features; use --size {least} or more, "
            "or --judged pixels.",
            size=recipe.size,
            least=least,
        )
    encoder = vgg19("caffe", device=trainer.device, dtype=trainer.encoder_dtype)
    return Projected(
        encoder, recipe.discriminator_width, recipe.shift, lambda: trainer.once("shift")
    )
