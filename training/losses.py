"""Terms that several recipes share."""

from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.methods.gatys import total_variation
from zoo.metrics import ridges
from zoo.nn.blocks import StyleNorm
from zoo.nn.stats import gram, moments
from zoo.nn.vgg import VGG19

Statistics = tuple[Tensor, Tensor]  # mean and deviation of every channel, (B, C, 1, 1) each


def statistics_loss(found: Statistics, wanted: Statistics) -> Tensor:
    """Squared distance of channel means plus that of deviations, each a mean over B and C.

    Equation 13 of arXiv:1703.06868 for one layer; as :func:`zoo.nn.stats.mean_std` returns them.
    """
    return F.mse_loss(found[0], wanted[0]) + F.mse_loss(found[1], wanted[1])


def stripes(made: Tensor) -> Tensor:
    """How far pictures ``(B, 3, H, W)`` have more power where resizing leaves traces than around.

    Differs from the papers, where a recipe asks for it: statistics of features hardly see stripes a
    pixel wide, and a long training with a heavy style term leaves some.
    """
    return ridges(made).relu().mean()


class Spikes:
    """Watch the features that a network normalises for small areas that outweigh all others.

    Differs from the papers, where a recipe asks for it. A network can paint a blot somewhere, whose
    size in features turns the normalisation of all the rest (Karras et al., arXiv:1912.04958,
    section 2): it shows as kurtosis, of 4 to 15 in most features of photos and of 200 with a blot.

    Args:
        network: Whose normalisations are watched from now on, wherever gradients are.
        limit: Kurtosis that costs nothing. A patch of a share p of the picture has one of 1 / p.
    """

    def __init__(self, network: nn.Module, limit: float) -> None:
        self.limit = limit
        self.found: list[Tensor] = []
        for module in network.modules():
            if isinstance(module, StyleNorm) and module.normalise:
                module.register_forward_pre_hook(self._look)

    def take(self) -> Tensor:
        """How far kurtosis went beyond the limit since the last call, as a share of it."""
        mean = torch.stack(self.found).mean()
        self.found.clear()
        return mean

    def _look(self, norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if torch.is_grad_enabled():
            features = inputs[0].float()
            squares = (features - features.mean((2, 3), keepdim=True)).square()
            variance = squares.mean((2, 3))
            kurtosis = squares.square().mean((2, 3)) / variance.square().clamp(min=1e-12)
            self.found.append((kurtosis / self.limit - 1).relu().mean())


class PerceptualLoss:
    """The objective of Gatys et al., for a batch and for one of several styles each.

    With ``style_weight`` 1000 and the layers of Gatys et al. it is theirs, with 5 and the layers of
    Johnson et al. it is that of Johnson et al.: both take the mean squared difference of Gram
    matrices ``F Fᵀ / (C N)``.

    Args:
        encoder: Frozen VGG-19.
        styles: Style pictures, each ``(1, 3, h, w)`` in [0, 1].
        content_layer: Where the photo is compared.
        style_layers: Where Gram matrices are compared.
        style_weight: Of the style term; the content term has 1.
        tv_weight: Of the mean squared difference of neighbouring pixels in 0..255.
        margin: Pixels by which photos and results are mirrored outwards for the encoder, and which
            are cut off its features again; a multiple of 8. It pads with zeros, and a long training
            learns to paint a line against the black frame that it sees.
    """

    def __init__(
        self,
        encoder: VGG19,
        styles: Sequence[Tensor],
        *,
        content_layer: str,
        style_layers: Sequence[str],
        style_weight: float,
        tv_weight: float = 0.0,
        margin: int = 0,
    ) -> None:
        self.encoder, self.margin = encoder, margin
        self.content_layer, self.style_layers = content_layer, list(style_layers)
        self.style_weight, self.tv_weight = style_weight, tv_weight
        with torch.no_grad():
            found = [self.features(style, self.style_layers) for style in styles]
        self.grams = {
            layer: torch.cat([gram(features[layer]) for features in found])
            for layer in self.style_layers
        }  # (styles, C, C) each

    def __call__(self, images: Tensor, photos: Tensor, which: Tensor) -> dict[str, Tensor]:
        """The weighted terms, ``(B,)`` each.

        Args:
            images: What the network made, ``(B, 3, H, W)`` in [0, 1].
            photos: Of what, likewise.
            which: Number of the style for each, ``(B,)``.
        """
        with torch.no_grad():
            target = self.features(photos, [self.content_layer])[self.content_layer]
        features = self.features(images, {self.content_layer, *self.style_layers})
        difference = features[self.content_layer].float() - target.float()
        style_loss = torch.zeros(len(images), device=images.device)
        for layer, grams in self.grams.items():
            found = gram(features[layer])  # (B, C, C)
            error = (found - grams[which]).square().mean((1, 2))
            style_loss = style_loss + error / found.shape[1] ** 2
        terms = {
            "content": difference.square().mean((1, 2, 3)),
            "style": self.style_weight * style_loss,
        }
        if self.tv_weight:
            smoothness = [self.tv_weight * total_variation(image[None]) for image in images]
            terms["tv"] = torch.stack(smoothness)
        return terms

    def features(self, images: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """Features of ``images`` ``(B, 3, H, W)`` by layer, without those of the margin."""
        if not self.margin:
            return self.encoder(images, layers)
        found = self.encoder(F.pad(images, (self.margin,) * 4, mode="reflect"), layers)
        cut = {layer: self.margin // 2 ** (int(layer[4]) - 1) for layer in found}  # relu{stage}_…
        return {
            layer: features[..., cut[layer] : -cut[layer], cut[layer] : -cut[layer]]
            for layer, features in found.items()
        }


class NormalisedEncoder:
    """VGG-19 whose filters have a mean activation of 1 over some pictures.

    What Gatys et al. (arXiv:1505.07376) do to the weights is done to the features here. A filter
    that hardly ever fires is divided by a tenth of its layer's mean, or it would drown the others.
    Borders are reflected, as in :func:`zoo.nn.blocks.encode`.

    Args:
        encoder: Frozen.
        pictures: ``(B, 3, H, W)`` in [0, 1].
        layers: Names of ReLU layers.

    Attributes:
        scale: Mean activations, ``(1, C, 1, 1)`` float32 by layer.
    """

    def __init__(self, encoder: VGG19, pictures: Tensor, layers: Sequence[str]) -> None:
        self.encoder, self.layers = deepcopy(encoder), tuple(layers)
        for conv in self.encoder.convs.values():
            cast(nn.Conv2d, conv).padding_mode = "reflect"
        means: dict[str, Tensor] = {}
        with torch.no_grad():
            parts = pictures.split(8)
            for part in parts:
                for layer, features in self.encoder(part, self.layers).items():
                    mean = features.float().mean((0, 2, 3))[None, :, None, None] / len(parts)
                    means[layer] = means[layer] + mean if layer in means else mean
        self.scale = {
            layer: mean.clamp(min=0.1 * mean.mean().item()) for layer, mean in means.items()
        }

    def __call__(self, images: Tensor, layers: Sequence[str] = ()) -> dict[str, Tensor]:
        """Map ``(B, 3, H, W)`` to float32 features by layer; all layers where none are named."""
        features = self.encoder(images, layers or self.layers)
        return {layer: value.float() / self.scale[layer] for layer, value in features.items()}

    def measured(self, images: Tensor) -> tuple[Tensor, dict[str, Statistics]]:
        """Features of the last layer as a call returns them, and the statistics of all layers.

        The scale is applied to the statistics, so that the large features of the first layers are
        never copied.
        """
        found = self.encoder(images, self.layers)
        last = self.layers[-1]
        statistics = {}
        for layer, features in found.items():
            mean, variance = moments(features)
            scale = self.scale[layer]
            statistics[layer] = mean / scale, (variance / scale.square() + 1e-5).sqrt()
        return found[last].float() / self.scale[last], statistics
