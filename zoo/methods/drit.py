"""DRIT: translations with a shared space of contents, and an attribute code for the rest.

Source: Lee, Tseng, Huang, Singh & Yang, Diverse Image-to-Image Translation via Disentangled
Representations (arXiv:1808.00948); mode seeking is from DRIT++ (arXiv:1905.01270). As in MUNIT a
picture is a content code and a style code of eight numbers, here called attribute. Unlike there the
last layer of the content encoders is shared, and a discriminator sees to it that contents of both
kinds of picture look alike.

Two ways for the attribute into the generator: repeated over the picture and concatenated to the
features (``concat``, where shapes hardly change: seasons, paintings), or mixed into the features of
every block by 1×1 convolutions (``feature``, where they do: cats and dogs).
"""

from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn

from zoo.codes import CodedTranslation
from zoo.method import Paper
from zoo.nn.blocks import conv
from zoo.nn.translation import InstanceNorm, Residual, block, enlarge, picture

Mode = Literal["concat", "feature"]


@dataclass(frozen=True, kw_only=True)
class DRITConfig:
    """What the weights are.

    Args:
        width: Channels of the first layer; 64 in the paper.
        mode: How the attribute enters the generator.
        code_size: Numbers of an attribute.
        domains: What people call the two kinds of picture.
        skip: The decoders make a change that is added to the photo, not a whole picture.
        published: The network as published, with transposed convolutions, which leave a
            checkerboard, and biases that a normalisation cancels.
    """

    width: int = 64
    mode: Mode = "concat"
    code_size: int = 8
    domains: tuple[str, str] = ("A", "B")
    skip: bool = False
    published: bool = False


class AttributeBlock(nn.Module):
    """A residual block that halves the size; without normalisation."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.LeakyReLU(0.2),
            conv(inputs, inputs),
            nn.LeakyReLU(0.2),
            conv(inputs, outputs),
            nn.AvgPool2d(2),
        )
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(inputs, outputs, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Map ``(B, inputs, H, W)`` to ``(B, outputs, H / 2, W / 2)``."""
        return cast(Tensor, self.body(features) + self.shortcut(features))


class AttributeEncoder(nn.Module):
    """From a picture to its attribute: in the concat mode a normal distribution of attributes."""

    def __init__(self, config: DRITConfig) -> None:
        super().__init__()
        w = config.width
        if config.mode == "concat":
            rows: list[nn.Module] = [
                block(3, w, 4, 2, norm="none", activation="none"),
                *(AttributeBlock(i * w, (i + 1) * w) for i in (1, 2, 3)),
                nn.LeakyReLU(0.2),
            ]
        else:
            rows = [
                block(3, w, 7, norm="none"),
                block(w, 2 * w, 4, 2, norm="none"),
                block(2 * w, 4 * w, 4, 2, norm="none"),
                block(4 * w, 4 * w, 4, 2, norm="none"),
                block(4 * w, 4 * w, 4, 2, norm="none"),
            ]
        self.body = nn.Sequential(*rows, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.mean = nn.Linear(4 * w, config.code_size)
        self.log_variance = nn.Linear(4 * w, config.code_size) if config.mode == "concat" else None

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Map ``(B, 3, H, W)`` in [-1, 1], at least 16 pixels a side.

        Returns:
            Mean and logarithm of the variance, each ``(B, code_size)``; the feature mode knows no
            variance.
        """
        found = self.body(images)
        return self.mean(found), None if self.log_variance is None else self.log_variance(found)


class ConcatGenerator(nn.Module):
    """Content and attribute to picture; the attribute is concatenated before every stage."""

    def __init__(self, config: DRITConfig) -> None:
        super().__init__()
        w, n, published = config.width, config.code_size, config.published
        self.blocks = nn.Sequential(*(Residual(4 * w + n, bias=published) for _ in range(3)))
        self.up = nn.ModuleList(
            [
                enlarge(4 * w + 2 * n, 2 * w + n, norm="layer", published=published),
                enlarge(2 * w + 2 * n, w + n, norm="layer", published=published),
            ]
        )
        self.last = nn.Conv2d(w + 2 * n, 3, 1)

    def forward(self, content: Tensor, attribute: Tensor, base: Tensor | None = None) -> Tensor:
        """Map ``(B, 4w, H, W)`` and ``(B, code_size)`` to ``(B, 3, 4H, 4W)`` in [-1, 1]."""
        x = self.blocks(beside(content, attribute))
        for layer in self.up:
            x = layer(beside(x, attribute))
        return picture(self.last(beside(x, attribute).float()).float(), base)


class MixedResidual(nn.Module):
    """A residual block in which 1×1 convolutions mix an attribute into every feature."""

    def __init__(self, channels: int, extra: int, bias: bool) -> None:
        super().__init__()
        both = channels + extra
        self.convs = nn.ModuleList(conv(channels, channels, bias=bias) for _ in range(2))
        self.norm = InstanceNorm(channels)
        self.mixers = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(both, both, 1), nn.ReLU(), nn.Conv2d(both, channels, 1), nn.ReLU()
            )
            for _ in range(2)
        )

    def forward(self, features: Tensor, attribute: Tensor) -> Tensor:
        """Map ``(B, C, H, W)``; ``attribute`` is ``(B, extra)``."""
        x = features
        for convolve, mixer in zip(self.convs, self.mixers, strict=True):
            x = mixer(beside(self.norm(convolve(x)), attribute))
        return features + x


class FeatureGenerator(nn.Module):
    """Content and attribute to picture; every block gets a quarter of what becomes of the code."""

    def __init__(self, config: DRITConfig) -> None:
        super().__init__()
        w, published = config.width, config.published
        self.extras = nn.Sequential(
            nn.Linear(config.code_size, 4 * w),
            nn.ReLU(),
            nn.Linear(4 * w, 4 * w),
            nn.ReLU(),
            nn.Linear(4 * w, 16 * w),
        )
        self.blocks = nn.ModuleList(MixedResidual(4 * w, 4 * w, published) for _ in range(4))
        self.up = nn.Sequential(
            enlarge(4 * w, 2 * w, norm="layer", published=published),
            enlarge(2 * w, w, norm="layer", published=published),
        )
        self.last = nn.Conv2d(w, 3, 1)

    def forward(self, content: Tensor, attribute: Tensor, base: Tensor | None = None) -> Tensor:
        """Map ``(B, 4w, H, W)`` and ``(B, code_size)`` to ``(B, 3, 4H, 4W)`` in [-1, 1]."""
        x = content
        for layer, extra in zip(self.blocks, self.extras(attribute).chunk(4, 1), strict=True):
            x = layer(x, extra)
        return picture(self.last(self.up(x).float()).float(), base)


def beside(features: Tensor, attribute: Tensor) -> Tensor:
    """Concatenate ``(B, n)``, repeated over all pixels, to ``(B, C, H, W)``."""
    repeated = attribute[:, :, None, None].expand(-1, -1, *features.shape[2:])
    both = torch.cat([features, repeated.to(features.dtype)], 1)
    return both.contiguous(memory_format=torch.channels_last)


class Domain(nn.Module):
    """The networks that one kind of picture has for itself."""

    def __init__(self, config: DRITConfig) -> None:
        super().__init__()
        w, bias = config.width, config.published
        self.content_encoder = nn.Sequential(
            block(3, w, 7, norm="none", activation="leaky", slope=0.01),
            block(w, 2 * w, 3, 2, bias=bias),
            block(2 * w, 4 * w, 3, 2, bias=bias),
            *(Residual(4 * w, bias=bias) for _ in range(3)),
        )
        self.attribute_encoder = AttributeEncoder(config)
        kind = ConcatGenerator if config.mode == "concat" else FeatureGenerator
        self.generator = kind(config)


class DRIT(CodedTranslation):
    """Both kinds of picture in one checkpoint."""

    name = "drit"
    title = "DRIT"
    summary = (
        "Turns one kind of picture into another in many ways; both share one idea of what a "
        "picture shows."
    )
    paper = Paper(
        "Diverse Image-to-Image Translation via Disentangled Representations",
        "Hsin-Ying Lee, Hung-Yu Tseng, Jia-Bin Huang, Maneesh Kumar Singh, Ming-Hsuan Yang",
        2018,
        "1808.00948",
    )
    checkpoint = "zoo/drit-chinese"
    Config = DRITConfig
    multiple = 8  # the innermost features then have the two pixels that a mirror needs
    bf16 = True
    config: DRITConfig

    def __init__(self, config: DRITConfig = DRITConfig()) -> None:
        super().__init__(config)
        self.networks = nn.ModuleDict({domain: Domain(config) for domain in ("A", "B")})
        self.content_shared = Residual(4 * config.width, bias=config.published)
        self.generator_shared = (
            Residual(4 * config.width, bias=config.published) if config.mode == "concat" else None
        )

    def encode_content(self, images: Tensor, domain: str) -> Tensor:
        """Map ``(B, 3, H, W)`` in [-1, 1] to ``(B, 4w, H / 4, W / 4)``; 4 divides H and W."""
        return self.content_shared(self.networks[domain].content_encoder(images))  # type: ignore[operator]

    def encode_style(self, images: Tensor, domain: str) -> Tensor:
        """The mean attributes of pictures.

        Differs from the paper: codes of style pictures that are far longer than any that is drawn
        are shortened.
        """
        found, _ = self.encode_attribute(images, domain)
        return found

    def encode_attribute(self, images: Tensor, domain: str) -> tuple[Tensor, Tensor | None]:
        """What :class:`AttributeEncoder` of ``domain`` gives."""
        return self.networks[domain].attribute_encoder(images)  # type: ignore[operator]

    def decode(
        self, content_code: Tensor, style_code: Tensor, domain: str, base: Tensor | None = None
    ) -> Tensor:
        """Map contents and attributes to pictures ``(B, 3, H, W)`` in [-1, 1] of ``domain``."""
        if self.generator_shared is not None:
            content_code = self.generator_shared(content_code)
        return self.networks[domain].generator(content_code, style_code, base)  # type: ignore[operator]
