"""MUNIT: one of many translations of a picture, each with a style code of its own.

Source: Huang, Liu, Belongie & Kautz, Multimodal Unsupervised Image-to-Image Translation
(arXiv:1804.04732). A picture is taken apart into a content code, which both kinds of picture share,
and a style code of eight numbers, which belongs to one kind. A translation is the content of the
photo decoded with a style of the other kind: drawn from a normal distribution, or encoded from a
picture.

The decoder hears of the style through adaptive instance normalisation: a small network turns the
code into a mean and a deviation for every channel of its residual blocks.
"""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.codes import CodedTranslation
from zoo.method import Paper
from zoo.nn.blocks import Doubled, conv, instance_norm
from zoo.nn.translation import LayerNorm, Residual, block, initialise, picture, spectral


@dataclass(frozen=True, kw_only=True)
class MUNITConfig:
    """What the weights are.

    Args:
        width: Channels of the first layer; 64 in the paper.
        blocks: Residual blocks of the content encoder, and of the decoder.
        code_size: Numbers of a style code.
        domains: What people call the two kinds of picture.
        skip: The decoders make a change that is added to the photo, not a whole picture.
        spectral: Weights are divided by their largest singular value.
        published: The network as published, with biases that a normalisation cancels and its own
            kind of layer normalisation.
    """

    width: int = 64
    blocks: int = 4
    code_size: int = 8
    domains: tuple[str, str] = ("A", "B")
    skip: bool = False
    spectral: bool = False
    published: bool = False


class PublishedLayerNorm(nn.Module):
    """Layer normalisation of the published code: eps is added to the unbiased deviation."""

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.rand(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, features: Tensor) -> Tensor:
        """Map ``(B, C, H, W)``."""
        x = features.float()
        deviation, mean = torch.std_mean(x, (1, 2, 3), keepdim=True)
        x = (x - mean) / (deviation + self.eps)
        return (x * self.weight[:, None, None] + self.bias[:, None, None]).to(features.dtype)


def adain(features: Tensor, bias: Tensor, weight: Tensor) -> Tensor:
    """Give each channel of ``(B, C, H, W)`` the mean ``bias`` and the deviation ``weight``.

    Both are ``(B, C)``; a negative deviation turns the features upside down.
    """
    normed = instance_norm(features)
    shift, scale = (x[:, :, None, None].to(normed.dtype) for x in (bias, weight))
    return torch.addcmul(shift, normed, scale).contiguous(memory_format=torch.channels_last)


class StyledResidual(nn.Module):
    """A residual block whose two normalisations take their statistics from a style."""

    def __init__(self, channels: int, bias: bool) -> None:
        super().__init__()
        self.first = conv(channels, channels, bias=bias)
        self.second = conv(channels, channels, bias=bias)

    def forward(self, features: Tensor, statistics: Tensor) -> Tensor:
        """Map ``(B, C, H, W)``; ``statistics`` ``(B, 4, C)`` are bias, weight, bias, weight."""
        x = F.relu(adain(self.first(features), statistics[:, 0], statistics[:, 1]))
        return features + adain(self.second(x), statistics[:, 2], statistics[:, 3])


class AutoEncoder(nn.Module):
    """All networks of one kind of picture. Pictures are in [-1, 1], ``w`` is the width."""

    def __init__(self, config: MUNITConfig) -> None:
        super().__init__()
        w, bias = config.width, config.published  # idle before a normalisation of each channel
        self.content_encoder = nn.Sequential(
            block(3, w, 7, bias=bias),
            block(w, 2 * w, 4, 2, bias=bias),
            block(2 * w, 4 * w, 4, 2, bias=bias),
            *(Residual(4 * w, bias=bias) for _ in range(config.blocks)),
        )
        # Without normalisation, which would take away the means and deviations that are the style.
        self.style_encoder = nn.Sequential(
            block(3, w, 7, norm="none"),
            block(w, 2 * w, 4, 2, norm="none"),
            block(2 * w, 4 * w, 4, 2, norm="none"),
            block(4 * w, 4 * w, 4, 2, norm="none"),
            block(4 * w, 4 * w, 4, 2, norm="none"),
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(4 * w, config.code_size, 1),
            nn.Flatten(),
        )
        self.statistics = nn.Sequential(
            nn.Linear(config.code_size, 4 * w),
            nn.ReLU(),
            nn.Linear(4 * w, 4 * w),
            nn.ReLU(),
            nn.Linear(4 * w, config.blocks * 4 * 4 * w),
        )
        self.blocks = nn.ModuleList(StyledResidual(4 * w, bias) for _ in range(config.blocks))
        norm = PublishedLayerNorm if config.published else LayerNorm
        self.up = nn.Sequential(
            Doubled(),
            conv(4 * w, 2 * w, 5),
            norm(2 * w),
            nn.ReLU(),
            Doubled(),
            conv(2 * w, w, 5),
            norm(w),
            nn.ReLU(),
        )
        self.last = conv(w, 3, 7)

    def encode_content(self, images: Tensor) -> Tensor:
        """Map ``(B, 3, H, W)`` to ``(B, 4w, H / 4, W / 4)``; 4 divides H and W, at least 8."""
        return self.content_encoder(images)

    def encode_style(self, images: Tensor) -> Tensor:
        """Map ``(B, 3, H, W)``, at least 16 pixels a side, to codes ``(B, code_size)``."""
        return self.style_encoder(images)

    def decode(
        self, content_code: Tensor, style_code: Tensor, base: Tensor | None = None
    ) -> Tensor:
        """Map what the encoders gave to ``(B, 3, H, W)`` in [-1, 1], or a change of ``base``."""
        statistics = self.statistics(style_code)
        x = content_code
        for number, layer in enumerate(
            statistics.unflatten(1, (len(self.blocks), 4, -1)).unbind(1)
        ):
            x = self.blocks[number](x, layer)
        return picture(self.last(self.up(x).float()).float(), base)


class MUNIT(CodedTranslation):
    """Both kinds of picture in one checkpoint."""

    name = "munit"
    title = "MUNIT"
    summary = (
        "Turns one kind of picture into another in as many ways as you like, or in the way of a "
        "picture you choose."
    )
    paper = Paper(
        "Multimodal Unsupervised Image-to-Image Translation",
        "Xun Huang, Ming-Yu Liu, Serge Belongie, Jan Kautz",
        2018,
        "1804.04732",
    )
    checkpoint = "zoo/munit-chinese"
    Config = MUNITConfig
    multiple = 8  # the innermost features then have the two pixels that a mirror needs
    bf16 = True
    config: MUNITConfig

    def __init__(self, config: MUNITConfig = MUNITConfig()) -> None:
        super().__init__(config)
        self.networks = nn.ModuleDict({domain: AutoEncoder(config) for domain in ("A", "B")})
        initialise(self, "kaiming")  # here, because bounded weights cannot be drawn anew
        if config.spectral:
            spectral(self)

    def encode_content(self, images: Tensor, domain: str) -> Tensor:
        """See :meth:`AutoEncoder.encode_content`."""
        return self.domain(domain).encode_content(images)

    def encode_style(self, images: Tensor, domain: str) -> Tensor:
        """See :meth:`AutoEncoder.encode_style`.

        Differs from the paper: codes of style pictures that are far longer than any that is drawn
        are shortened.
        """
        return self.domain(domain).encode_style(images)

    def decode(
        self, content_code: Tensor, style_code: Tensor, domain: str, base: Tensor | None = None
    ) -> Tensor:
        """See :meth:`AutoEncoder.decode`."""
        return self.domain(domain).decode(content_code, style_code, base)

    def domain(self, name: str) -> AutoEncoder:
        """The networks of domain ``A`` or ``B``."""
        return cast(AutoEncoder, self.networks[name])
