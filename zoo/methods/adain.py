"""AdaIN: any style in one pass, by giving the photo's features the style's statistics.

Source: Huang & Belongie, Arbitrary Style Transfer in Real-time with Adaptive Instance
Normalization (arXiv:1703.06868). With f the features at relu4_1 of VGG-19,

    t = σ(f(style)) · (f(content) - μ(f(content))) / σ(f(content)) + μ(f(style))

per channel, and a decoder that was trained to invert the encoder turns t into a picture. The
paper's encoder is normalised: every filter has a mean activation of 1 over many pictures. Here
the filters keep their scale and the decoder divides by those means (``scale``), which is the same
function.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.method import (
    Content,
    ContentRegions,
    Method,
    MoreStyles,
    Paper,
    Strength,
    Style,
    StyleRegions,
    StyleShares,
    shares,
)
from zoo.nn.blocks import autocast, decoder, encode
from zoo.nn.kept import Kept
from zoo.nn.stats import by_region, mean_std
from zoo.nn.vgg import CHANNELS, VGG19, Weights, vgg19

LAYER = "relu4_1"


@dataclass(frozen=True, kw_only=True)
class AdaINConfig:
    """What the weights are.

    Args:
        width: Channels of the decoder's last stage; 64 mirrors the encoder as in the paper.
        weights: Whose VGG-19 the decoder inverts.
        own_encoder: Whether it is one that the checkpoint brings.
    """

    width: int = 64
    weights: Weights = "caffe"
    own_encoder: bool = False


def adain(content: Tensor, style: Tensor) -> Tensor:
    """Give ``content`` ``(B, C, H, W)`` the channel means and deviations of ``style``.

    ``style`` is ``(B, C, h, w)`` or ``(1, C, h, w)``; both are non-negative features.
    """
    mean, deviation = mean_std(content)
    target_mean, target_deviation = mean_std(style)
    return (content - mean) / deviation * target_deviation + target_mean


class AdaIN(Method):
    """One decoder that renders any statistics the style picture asks for."""

    name = "adain"
    title = "AdaIN"
    summary = "Takes the look of any picture in one pass, and blends several."
    paper = Paper(
        "Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization",
        "Xun Huang, Serge Belongie",
        2017,
        "1703.06868",
    )
    checkpoint = "zoo/adain"
    Config = AdaINConfig
    multiple = 8
    bf16 = True
    config: AdaINConfig

    def __init__(self, config: AdaINConfig = AdaINConfig()) -> None:
        super().__init__(config)
        self.decoder = decoder(4, config.width)
        self.register_buffer("scale", torch.ones(1, CHANNELS["4_1"], 1, 1))
        self.scale: Tensor  # mean activation of every filter over the training photos
        self.encoder = VGG19(config.weights, last="4_1") if config.own_encoder else None
        self.looks = Kept(self.encode)

    def forward(
        self,
        content: Content,
        style: Style,
        *,
        strength: Strength = 1.0,
        more_styles: MoreStyles = [],  # noqa: B006 read, never changed
        style_weights: StyleShares = [],  # noqa: B006
        content_regions: ContentRegions = None,
        style_regions: StyleRegions = None,
    ) -> Tensor:
        """Repaint ``content`` in one pass, by region where there are both label maps (section 7.3).

        Regions are of the first style picture; of the others each takes after the whole, in their
        share. Raises InputError when the shares do not fit the style pictures.
        """
        styles = [style, *more_styles]
        mix = shares(style_weights, len(styles))
        features = self.encode(content)
        target = torch.zeros_like(features)
        for number, (picture, share) in enumerate(zip(styles, mix, strict=True)):
            looks = self.looks(picture)
            if number or content_regions is None or style_regions is None:
                moved = adain(features, looks)
            else:
                moved = by_region(adain, features, looks, (content_regions, style_regions))
            target = target + share * moved
        result = self.decode(torch.lerp(features, target, strength))
        if strength < 1:
            # Differs from the paper: what the decoder loses of the untouched photo is given back
            # in the same measure, so that strength 0 is the photo itself and not a copy of it.
            result = result + (1 - strength) * (content - self.decode(features))
        return result.clamp(0, 1)

    def encode(self, images: Tensor) -> Tensor:
        """Map ``(B, 3, H, W)`` in [0, 1] to relu4_1 ``(B, 512, H / 8, W / 8)``."""
        encoder = self.encoder or vgg19(
            self.config.weights, device=images.device, dtype=self.precision
        )
        return encode(encoder, images, 4)[0].float()

    def decode(self, features: Tensor) -> Tensor:
        """Map relu4_1 features to pictures ``(B, 3, H, W)``, about [0, 1]."""
        with autocast(features.device, self.precision):
            x = self.decoder[:-1](features / self.scale)
        return self.decoder[-1](x.float())
