"""FastPhotoStyle: give a photo the light and colours of another, and keep it a photo.

Source: Li, Liu, Li, Yang & Kautz, A Closed-form Solution to Photorealistic Image Stylization
(arXiv:1802.06474). Two steps. *PhotoWCT*: at relu4_1, 3_1, 2_1 and 1_1 of VGG-19 in turn, features
get the style's mean and covariance, and a decoder goes back to pixels, unpooling to where the
photo's maxima were. *Smoothing*: the result R of Y minimises

    Σ_ij  W_ij ‖R_i / √D_ii - R_j / √D_jj‖²  / 2  +  (1/β - 1) Σ_i ‖R_i - Y_i‖²

with the matting affinity W of the photo (Levin et al.), so that what looks alike in the photo is
coloured alike.

W couples a pixel with the 24 around it only, and its row sums D are the numbers of windows a pixel
lies in. So the system is 25 diagonals, built once and solved by conjugate gradients: some
three hundred products of 25 multiply-adds, on any device, where the published code factorises a
sparse matrix on the CPU.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.form import Control, Picture
from zoo.method import Content, Method, Paper, Strength, Style
from zoo.nn.blocks import Pool, conv, encode
from zoo.nn.vgg import CHANNELS, CONVS_PER_STAGE, Weights, vgg19

LEVELS = (4, 3, 2, 1)
LEAST = 10  # positions a region must have in photo and style to have statistics
WINDOW = 3  # side of the windows of the matting affinity
REACH = WINDOW - 1  # how far apart two pixels of one window can be
BETA = 0.9999

Regions = Annotated[
    Tensor,
    Picture(),
    Field(description="Paint what belongs together in the same colour on photo and style."),
]


@dataclass(frozen=True, kw_only=True)
class FastPhotoStyleConfig:
    """What the weights are; unpooling fixes the channels to the encoder's.

    Args:
        weights: Whose VGG-19 the decoders invert.
    """

    weights: Weights = "caffe"


class UnpoolingDecoder(nn.Module):
    """Mirror of VGG-19 from relu{level}_1 to a picture that puts maxima back where they were."""

    def __init__(self, level: int) -> None:
        super().__init__()
        self.convs = nn.ModuleDict()  # by the name of the encoder's convolution that each undoes
        for stage in range(level, 0, -1):
            for number in range(CONVS_PER_STAGE[stage - 1] if stage < level else 1, 0, -1):
                before = (
                    CHANNELS.get(f"{stage - 1}_1", 3) if number == 1 else CHANNELS[f"{stage}_1"]
                )
                self.convs[f"{stage}_{number}"] = layer = conv(CHANNELS[f"{stage}_1"], before)
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(cast(Tensor, layer.bias))
                if stage < level and number == CONVS_PER_STAGE[stage - 1]:
                    with torch.no_grad():  # unpooling left three values of four at 0
                        layer.weight.mul_(2)
        with torch.no_grad():
            layer.weight.mul_(0.1)
            cast(Tensor, layer.bias).fill_(0.5)

    def forward(self, features: Tensor, pools: list[Pool]) -> Tensor:
        """Map relu{level}_1 features, scaled to a mean of about 1, to ``(B, 3, H, W)``."""
        x, waiting = features, list(pools)
        for name, layer in self.convs.items():
            x = layer(x)
            if name == "1_1":
                break
            x = F.relu(x)
            if name.endswith("_1"):
                indices, size = waiting.pop()
                x = F.max_unpool2d(x, indices, [2, 2], output_size=list(size))
        return x


class FastPhotoStyle(Method):
    """Whitening and colouring with unpooling, then smoothing along the photo."""

    name = "fast_photo_style"
    title = "FastPhotoStyle"
    summary = "Gives a photo the light of another photo and keeps it a photo."
    paper = Paper(
        "A Closed-form Solution to Photorealistic Image Stylization",
        "Yijun Li, Ming-Yu Liu, Xueting Li, Ming-Hsuan Yang, Jan Kautz",
        2018,
        "1802.06474",
    )
    checkpoint = "zoo/photo-wct"
    Config = FastPhotoStyleConfig
    multiple = 1
    config: FastPhotoStyleConfig

    def __init__(self, config: FastPhotoStyleConfig = FastPhotoStyleConfig()) -> None:
        super().__init__(config)
        self.decoders = nn.ModuleDict({str(k): UnpoolingDecoder(k) for k in LEVELS})
        for level in LEVELS:
            channels = CHANNELS[f"{level}_1"]
            self.register_buffer(f"scale{level}", torch.ones(1, channels, 1, 1))

    def forward(
        self,
        content: Content,
        style: Style,
        *,
        strength: Strength = 1.0,
        smoothing: Annotated[
            Literal["closed", "guided", "none"],
            Field(description="Takes away what does not look like a photo."),
            Control(words={"closed": "Exact", "guided": "Quick", "none": "None"}),
        ] = "closed",
        content_regions: Annotated[
            Regions | None, Field(title="Regions of the photo"), Control(more=True)
        ] = None,
        style_regions: Annotated[
            Regions | None, Field(title="Regions of the style"), Control(more=True)
        ] = None,
    ) -> Tensor:
        """Recolour ``content``; regions are label maps, ``(1, 3, ·, ·)``, both or none."""
        maps = None
        if content_regions is not None and style_regions is not None:
            maps = labels(content_regions, style_regions)
        result = content
        for level in LEVELS:
            result = self.transfer(result, style, level, maps)
        if smoothing == "closed":
            result = smooth(content, result)
        elif smoothing == "guided":
            result = guided_filter(content, result)
        return torch.lerp(content, result.clamp(0, 1), strength)

    def transfer(
        self, content: Tensor, style: Tensor, level: int, maps: tuple[Tensor, Tensor] | None = None
    ) -> Tensor:
        """Give ``content`` the style's statistics at relu{level}_1; both ``(1, 3, ·, ·)``."""
        encoder = vgg19(self.config.weights, device=content.device)
        features, pools = encode(encoder, content, level)
        target, _ = encode(encoder, style, level)
        shape = features.shape
        if maps is None:
            moved = wct(features[0].flatten(1), target[0].flatten(1))
        else:
            mine, theirs = (
                F.interpolate(m[None, None].float(), f.shape[2:], mode="nearest")[0, 0].flatten()
                for m, f in zip(maps, (features, target), strict=True)
            )
            moved = wct_by_region(features[0].flatten(1), target[0].flatten(1), mine, theirs)
        return self.decode(moved.view(shape), pools, level).clamp(0, 1)

    def decode(self, features: Tensor, pools: list[Pool], level: int) -> Tensor:
        """Map relu{level}_1 features to pictures ``(B, 3, H, W)``, about [0, 1]."""
        return self.decoders[str(level)](features / self.scale(level), pools)

    def scale(self, level: int) -> Tensor:
        """Mean activation of every filter of relu{level}_1 over the training photos."""
        return self.get_buffer(f"scale{level}")


def wct(content: Tensor, style: Tensor) -> Tensor:
    """Whiten features ``(C, N)``, then colour them with the covariance and mean of ``(C, M)``.

    Differs from the published code: there is no identity added to the photo's covariance, which
    keeps the result's from being the style's; directions in which the photo has no variance to
    speak of stay without, instead of having their noise blown up. Symmetric matrices are
    decomposed as such, in float64.
    """
    mean, values, vectors = _spectrum(content)
    target_mean, target_values, target_vectors = _spectrum(style)
    kept = values > 1e-8 * values[-1].clamp(min=1e-12)
    whiten = (vectors[:, kept] * values[kept].rsqrt()) @ vectors[:, kept].T
    color = (target_vectors * target_values.clamp(min=0).sqrt()) @ target_vectors.T
    moved = (color @ whiten) @ (content.double() - mean) + target_mean
    return moved.to(content.dtype)


def _spectrum(features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean ``(C, 1)``, and eigenvalues and eigenvectors of the covariance, in float64."""
    flat = features.double()
    mean = flat.mean(1, keepdim=True)
    centred = flat - mean
    values, vectors = torch.linalg.eigh(centred @ centred.T / max(1, flat.shape[1] - 1))
    return mean, values, vectors


def wct_by_region(content: Tensor, style: Tensor, mine: Tensor, theirs: Tensor) -> Tensor:
    """:func:`wct` for each label on its own; a region that is too small on one side stays.

    Args:
        content: Features ``(C, N)``.
        style: Features ``(C, M)``.
        mine: A label for each position of ``content``, ``(N,)``.
        theirs: A label for each position of ``style``, ``(M,)``.
    """
    result = content.clone()
    for label in mine.unique():
        here, there = mine == label, theirs == label
        if min(int(here.sum()), int(there.sum())) > LEAST:
            result[:, here] = wct(content[:, here], style[:, there])
    return result


def labels(content: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
    """Read two painted maps ``(1, 3, ·, ·)`` as label maps ``(·, ·)`` that mean the same.

    Colours that fill a five-hundredth of a map evenly are labels. All else, such as the soft edges
    of a brush or of a resized map, goes to the nearest of them.
    """
    palette: list[Tensor] = []
    for picture in (content, style):
        highest, lowest = F.max_pool2d(picture, 3, 1, 1), -F.max_pool2d(-picture, 3, 1, 1)
        even = (highest - lowest).amax(1).flatten() < 0.05
        flat = picture[0].flatten(1).T[even]  # (N, 3)
        coarse, counts = flat.mul(16).round().div(16).unique(dim=0, return_counts=True)
        for number in counts.argsort(descending=True):
            near = any((coarse[number] - other).norm() < 0.15 for other in palette)
            if not near and counts[number] > 0.002 * even.numel():
                palette.append(coarse[number])
    colors = torch.stack(palette or [content.new_zeros(3)])
    first, second = (
        torch.cdist(picture[0].flatten(1).T, colors).argmin(1).view(picture.shape[2:])
        for picture in (content, style)
    )
    return first, second


def smooth(photo: Tensor, colored: Tensor, *, tolerance: float = 2e-4, limit: int = 2000) -> Tensor:
    """Solve the smoothing step: colours of ``colored``, edges of ``photo``.

    Args:
        photo: ``(1, 3, H, W)`` in [0, 1], at least 3 × 3 pixels.
        colored: ``(1, C, H, W)``.
        tolerance: Residual relative to the right-hand side at which to stop; the error is then
            below a tenth of a grey level.
        limit: Most iterations.

    Returns:
        ``(1, C, H, W)``.
    """
    bands = normalised(affinity(photo[0])).to(torch.float32)
    wanted = colored[0].float()
    right = (1 - BETA) * wanted
    x = wanted.clone()
    residual = right - (x - BETA * product(bands, x))
    direction = residual.clone()
    energy = residual.square().sum((1, 2), dtype=torch.float64)
    enough = tolerance**2 * right.square().sum((1, 2), dtype=torch.float64).clamp(min=1e-20)
    for number in range(limit):
        if number % 10 == 0 and bool((energy <= enough).all()):  # asking makes a GPU wait
            break
        moved = direction - BETA * product(bands, direction)
        curvature = (direction * moved).sum((1, 2), dtype=torch.float64).clamp(min=1e-30)
        rate = (energy / curvature).float()[:, None, None]
        x += rate * direction
        residual -= rate * moved
        fresh = residual.square().sum((1, 2), dtype=torch.float64)
        direction = residual + (fresh / energy.clamp(min=1e-30)).float()[:, None, None] * direction
        energy = fresh
    return x[None].to(colored.dtype)


def affinity(photo: Tensor, epsilon: float = 1e-7) -> Tensor:
    """The matting affinity of ``(3, H, W)`` in [0, 1] as diagonals ``(25, H, W)``, float64.

    Diagonal ``5 (dy + 2) + dx + 2`` holds at (y, x) the weight between pixels (y, x) and
    (y + dy, x + dx). Windows are centred before their covariance is taken: formed as a mean of
    squares less the square of the mean it loses the digits that matter.
    """
    height, width = photo.shape[1:]
    rows, columns = height - REACH, width - REACH
    area = WINDOW**2
    windows = F.unfold(photo[None].double(), WINDOW)[0].view(3, area, -1)
    centred = (windows - windows.mean(1, keepdim=True)).permute(2, 0, 1)  # (windows, 3, 9)
    identity = torch.eye(3, dtype=torch.float64, device=photo.device)
    covariance = centred @ centred.transpose(1, 2) / area + epsilon / area * identity
    weights = (1 + centred.transpose(1, 2) @ torch.linalg.solve(covariance, centred)) / area
    weights = weights.permute(1, 2, 0).view(area, area, rows, columns)
    bands = weights.new_zeros((2 * REACH + 1) ** 2, height, width)
    for p in range(area):
        for q in range(area):
            (py, px), (qy, qx) = divmod(p, WINDOW), divmod(q, WINDOW)
            band = (qy - py + REACH) * (2 * REACH + 1) + qx - px + REACH
            bands[band, py : py + rows, px : px + columns] += weights[p, q]
    return bands


def normalised(bands: Tensor) -> Tensor:
    """``D^-½ W D^-½`` for the diagonals of W.

    The row sums D are the numbers of windows that cover each pixel; none has to be added up.
    """
    root = bands.sum(0).rsqrt()
    for band, there in zip(bands, shifted(root[None]), strict=True):
        band *= root * there[0]
    return bands


def product(bands: Tensor, x: Tensor) -> Tensor:
    """The matrix of diagonals ``(25, H, W)`` times ``(C, H, W)``."""
    total = torch.zeros_like(x)
    for band, there in zip(bands, shifted(x), strict=True):
        total.addcmul_(band, there)
    return total


def shifted(x: Tensor) -> Iterator[Tensor]:
    """``(C, H, W)`` seen from each of the 25 neighbours in turn, 0 outside."""
    height, width = x.shape[1:]
    padded = F.pad(x, (REACH,) * 4)
    for dy in range(2 * REACH + 1):
        for dx in range(2 * REACH + 1):
            yield padded[:, dy : dy + height, dx : dx + width]


def guided_filter(
    photo: Tensor, colored: Tensor, radius: int = 35, epsilon: float = 1e-3
) -> Tensor:
    """He, Sun & Tang's guided filter: ``colored`` as a local affine function of ``photo``.

    Args:
        photo: The guide, ``(1, 3, H, W)`` in [0, 1].
        colored: ``(1, 3, H, W)`` in [0, 1].
        radius: Of the window in pixels.
        epsilon: Variance below which a window counts as flat.
    """
    guide, wanted = photo[0].double(), colored[0].double()

    def box(x: Tensor) -> Tensor:
        # Separable sums; windows shrink at the border.
        for axis in (-1, -2):
            total = F.pad(x.cumsum(axis), (1, 0) if axis == -1 else (0, 0, 1, 0))
            place = torch.arange(x.shape[axis], device=x.device)
            high = (place + radius + 1).clamp(max=x.shape[axis])
            low = (place - radius).clamp(min=0)
            shape = (-1,) if axis == -1 else (-1, 1)
            span = total.index_select(axis, high) - total.index_select(axis, low)
            x = span / (high - low).view(shape)
        return x

    mean, wanted_mean = box(guide), box(wanted)  # (3, H, W) each
    covariance = box(guide[:, None] * guide) - mean[:, None] * mean  # (3, 3, H, W)
    cross = box(guide[:, None] * wanted) - mean[:, None] * wanted_mean
    identity = torch.eye(3, dtype=torch.float64, device=photo.device)
    matrices = covariance.permute(2, 3, 0, 1) + epsilon * identity
    slopes = torch.linalg.solve(matrices, cross.permute(2, 3, 0, 1)).permute(2, 3, 0, 1)
    offsets = wanted_mean - (slopes * mean[:, None]).sum(0)
    slopes = box(slopes)
    return ((slopes * guide[:, None]).sum(0) + box(offsets))[None].to(colored.dtype)
