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
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.codes import Coded, CodeText, Samples
from zoo.method import Content, Direction, Method, Paper, Seed, Strength, Style, both_ways
from zoo.nn.blocks import Doubled, autocast, conv, instance_norm
from zoo.nn.translation import LayerNorm, Residual, block, initialise, spectral

LONGEST = 5.0  # of a code of a picture; two in a thousand normal codes of eight are longer
SMALLEST = 64  # of a style picture in pixels; the encoder halves it four times


@dataclass(frozen=True, kw_only=True)
class MUNITConfig:
    """What the weights are.

    Args:
        width: Channels of the first layer; 64 in the paper.
        blocks: Residual blocks of the content encoder, and of the decoder.
        code_size: Numbers of a style code.
        domains: What people call the two kinds of picture.
        spectral: Weights are divided by their largest singular value.
        published: The network as published, with biases that a normalisation cancels and its own
            kind of layer normalisation.
    """

    width: int = 64
    blocks: int = 4
    code_size: int = 8
    domains: tuple[str, str] = ("A", "B")
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

    def decode(self, content_code: Tensor, style_code: Tensor) -> Tensor:
        """Map what the encoders gave to ``(B, 3, H, W)`` in [-1, 1]."""
        statistics = self.statistics(style_code)
        x = content_code
        for number, layer in enumerate(
            statistics.unflatten(1, (len(self.blocks), 4, -1)).unbind(1)
        ):
            x = self.blocks[number](x, layer)
        return torch.tanh(self.last(self.up(x).float()).float())


class MUNIT(Method, Coded):
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
        self.code_size = config.code_size
        self.networks = nn.ModuleDict({domain: AutoEncoder(config) for domain in ("A", "B")})
        initialise(self, "kaiming")  # here, because bounded weights cannot be drawn anew
        if config.spectral:
            spectral(self)

    @classmethod
    def offers(cls, config: MUNITConfig) -> dict[str, list[tuple[str, Any]]]:
        """The directions by the names of the domains."""
        return both_ways(config.domains)

    @classmethod
    def style_of(cls, config: MUNITConfig) -> str:
        """The two kinds of picture."""
        return " ↔ ".join(config.domains)

    def forward(
        self,
        content: Content,
        style: Style | None = None,
        *,
        direction: Direction = "AtoB",
        samples: Samples = 4,
        strength: Strength = 1.0,
        seed: Seed = 0,
        code: CodeText = "",
    ) -> Tensor:
        """Translate ``content``: as the code or the style picture says, else by the seeds.

        Raises InputError when the code is none, or given beside a style picture.
        """
        codes = self.chosen(seed, samples, code, style, direction)
        return torch.lerp(content, self.render(content, codes, direction), strength)

    def encoded(self, content: Tensor, direction: Direction) -> Tensor:
        """The content code of a photo; see :meth:`Coded.encoded`."""
        with autocast(content.device, self.precision):
            return self.domain(direction[0]).encode_content(2 * content - 1)

    def decoded(self, content_code: Tensor, code: Tensor, direction: Direction) -> Tensor:
        """One translation ``(1, 3, H, W)`` in [0, 1]; see :meth:`Coded.decoded`."""
        with autocast(content_code.device, self.precision):
            made = self.domain(direction[-1]).decode(content_code, code)
        return 0.5 + 0.5 * made.float()

    def code_of(self, style: Tensor, direction: Direction = "AtoB") -> Tensor:
        """The code of a style picture in whole hundredths; see :meth:`Coded.code_of`.

        Differs from the paper: codes far longer than any that is drawn are shortened. Training
        never decoded such ones, and pictures of a third kind have them.
        """
        shorter = min(style.shape[2:])
        if shorter < SMALLEST:
            style = F.interpolate(style, scale_factor=SMALLEST / shorter, mode="bilinear")
        found = self.domain(direction[-1]).encode_style(2 * style - 1)
        found = found * (LONGEST / found.norm(dim=1, keepdim=True).clamp(min=LONGEST))
        return self.code_from_text(self.text_from_code(found))

    def domain(self, name: str) -> AutoEncoder:
        """The networks of domain ``A`` or ``B``."""
        return cast(AutoEncoder, self.networks[name])
