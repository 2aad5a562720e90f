"""How far two sets of pictures are apart: KID and FID on features of VGG-19.

Sources: Bińkowski et al., Demystifying MMD GANs (arXiv:1801.01401); Heusel et al., GANs Trained by
a Two Time-Scale Update Rule (arXiv:1706.08500). Both are defined on features of an Inception
network, which are not here. The definitions below are the same on features of VGG-19, so figures
compare among themselves and with no paper's; names and cards say so.

KID is unbiased whatever the number of pictures, and may come out a little below 0. FID grows as
pictures get fewer: give it only beside that number, and only for sets of the same.
"""

import warnings
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from zoo.nn.vgg import VGG19

FEATURES = "VGG-19 relu4_4, mean over pixels"
LARGEST_SUBSET = 1000  # of pictures whose pairs are compared at once, as in the paper of KID


class PooledVGG(nn.Module):
    """Pictures to the means of 512 features, about 1 each, for the metrics of torchmetrics.

    Args:
        encoder: VGG-19.
        side: Pictures are resized to it, in pixels, so that figures of any sizes are comparable.
    """

    num_features = 512

    def __init__(self, encoder: VGG19, side: int = 128) -> None:
        super().__init__()
        self.encoder, self.side = encoder, side

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Map RGB ``(B, 3, H, W)`` in [0, 1] to ``(B, 512)``."""
        size = (self.side, self.side)
        small = F.interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)
        # The kernel of KID is not indifferent to scale; the constant is for Caffe's weights.
        return self.encoder(small, ["relu4_4"])["relu4_4"].float().mean((2, 3)) / 64


def kid_vgg19(
    made: Iterable[Tensor], wanted: Iterable[Tensor], encoder: VGG19, side: int = 128
) -> float:
    """Kernel distance of two sets of pictures on features of VGG-19.

    Args:
        made: Results, each ``(b, 3, h, w)`` in [0, 1], of any sizes; two pictures at least.
        wanted: What they should look like.
        encoder: VGG-19 on the same device.
        side: As in :class:`PooledVGG`.

    Returns:
        The squared maximum mean discrepancy with the cubic kernel; 0 for sets that are alike.
        Where the sets differ in number or are large, a mean over random subsets, always the same.

    Raises:
        ValueError: A set has less than two pictures.
    """
    sets = _features(made, wanted, PooledVGG(encoder, side))
    smaller = min(LARGEST_SUBSET, *map(len, sets))
    whole = all(len(group) == smaller for group in sets)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Metric `Kernel Inception Distance` will save all")
        metric = KernelInceptionDistance(_Known(), 1 if whole else 50, smaller)
    for group, real in zip(sets, (True, False), strict=True):
        metric.update(group, real=real)
    with torch.random.fork_rng(devices=[]):  # the subsets come from the global state
        torch.manual_seed(0)
        mean, _ = metric.compute()
    return float(mean)


def fid_vgg19(
    made: Iterable[Tensor], wanted: Iterable[Tensor], encoder: VGG19, side: int = 128
) -> float:
    """Fréchet distance of two sets of pictures on features of VGG-19.

    Arguments and errors are those of :func:`kid_vgg19`. Returns the squared distance of the means
    and of the spreads, 0 for the same pictures; its expectation for two sets that are alike falls
    with their number.
    """
    sets = _features(made, wanted, PooledVGG(encoder, side))
    metric = FrechetInceptionDistance(_Known())
    for group, real in zip(sets, (True, False), strict=True):
        metric.update(group, real=real)
    return float(metric.compute())


class _Known(nn.Module):
    """An extractor for features that are there already."""

    num_features = PooledVGG.num_features

    def forward(self, features: Tensor) -> Tensor:
        return features


def _features(
    made: Iterable[Tensor], wanted: Iterable[Tensor], extractor: PooledVGG
) -> list[Tensor]:
    """Features of what is wanted and of what is made, float64 on the CPU."""
    sets = [
        torch.cat([extractor(images).cpu().double() for images in group])
        for group in (wanted, made)
    ]
    if min(map(len, sets)) < 2:
        raise ValueError("the distance of two sets needs at least two pictures in each")
    return sets
