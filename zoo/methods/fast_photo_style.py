"""FastPhotoStyle: give a photo the light and colours of another, and keep it a photo.

Source: Li, Liu, Li, Yang & Kautz, A Closed-form Solution to Photorealistic Image Stylization
(arXiv:1802.06474). Two steps. *PhotoWCT*: at relu4_1, 3_1, 2_1 and 1_1 of VGG-19 in turn, features
get the style's mean and covariance, and a decoder goes back to pixels, unpooling to where the
photo's maxima were. *Smoothing*: the result R of Y minimises

    Σ_ij  W_ij ‖R_i - R_j‖²  / 2  +  (1/β - 1) Σ_i D_ii ‖R_i - Y_i‖²

with the matting affinity W of the photo (Levin et al.), so that what looks alike in the photo is
coloured alike. Differs from the paper, which divides the pixels of its first term by √D and weighs
those of the second alike. Inside a picture that is the same, but pixels at its border lie in fewer
windows, and there it makes a dark frame; the published code cuts it off and repeats what is next.

W couples a pixel with the 24 around it only, and its row sums D are the numbers of windows a pixel
lies in. So the system is 25 diagonals, of which symmetry leaves 12 to store, built once and solved
by conjugate gradients: some four hundred products of 24 multiply-adds, on any device, where the
published code factorises a sparse matrix on the CPU.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.form import Control, Picture
from zoo.method import Content, ContentRegions, Method, Paper, Strength, StyleRegions
from zoo.nn.blocks import Pool, conv, encode
from zoo.nn.stats import by_region
from zoo.nn.vgg import CHANNELS, CONVS_PER_STAGE, VGG19, Weights, vgg19

LEVELS = (4, 3, 2, 1)
CHUNK = 2**14  # positions taken to float64 at a time: relu1_1 of a large photo has 2 GB in it
WINDOW = 3  # side of the windows of the matting affinity
REACH = WINDOW - 1  # how far apart two pixels of one window can be
# Rows and columns from a pixel to those it shares windows with and that do not come before it.
STEPS = tuple(
    (dy, dx) for dy in range(REACH + 1) for dx in range(-REACH, REACH + 1) if (dy, dx) >= (0, 0)
)
BETA = 0.9999


PhotoStyle = Annotated[
    Tensor,
    Picture(photo=True),
    Field(title="Style picture", description="The photo whose light and colours to borrow."),
]


@dataclass(frozen=True, kw_only=True)
class FastPhotoStyleConfig:
    """What the weights are; unpooling fixes the channels to the encoder's.

    Args:
        weights: Whose VGG-19 the decoders invert.
        own_encoder: Whether it is one that the checkpoint brings.
        published: Whiten as the published code does, with an identity added to the photo's
            covariance, leave small regions as they were, do not cut pictures off between the
            levels, and smooth with a dark frame.
    """

    weights: Weights = "caffe"
    own_encoder: bool = False
    published: bool = False


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
    films = False
    config: FastPhotoStyleConfig

    def __init__(self, config: FastPhotoStyleConfig = FastPhotoStyleConfig()) -> None:
        super().__init__(config)
        self.decoders = nn.ModuleDict({str(k): UnpoolingDecoder(k) for k in LEVELS})
        for level in LEVELS:
            channels = CHANNELS[f"{level}_1"]
            self.register_buffer(f"scale{level}", torch.ones(1, channels, 1, 1))
        self.encoder = VGG19(config.weights, last="4_1") if config.own_encoder else None

    def forward(
        self,
        content: Content,
        style: PhotoStyle,
        *,
        strength: Strength = 1.0,
        smoothing: Annotated[
            Literal["closed", "guided", "none"],
            Field(description="Takes away what does not look like a photo."),
            Control(words={"closed": "Exact", "guided": "Quick", "none": "None"}),
        ] = "closed",
        content_regions: ContentRegions = None,
        style_regions: StyleRegions = None,
    ) -> Tensor:
        """Recolour ``content``; regions are labels ``(1, 1, ·, ·)``, both or none."""
        maps = None
        if content_regions is not None and style_regions is not None:
            maps = content_regions, style_regions
        result = content
        for level in LEVELS:
            result = self.transfer(result, style, level, maps)
        if smoothing == "closed":
            result = smooth(content, result, published=self.config.published)
        elif smoothing == "guided":
            result = guided_filter(content, result)
        return torch.lerp(content, result.clamp(0, 1), strength)

    def transfer(
        self, content: Tensor, style: Tensor, level: int, maps: tuple[Tensor, Tensor] | None = None
    ) -> Tensor:
        """Give ``content`` the style's statistics at relu{level}_1; both ``(1, 3, ·, ·)``."""
        encoder = self.encoder or vgg19(self.config.weights, device=content.device)
        features, pools = encode(encoder, content, level)
        target, _ = encode(encoder, style, level)

        # Differs from the published code [published=False]: a label with too few positions on
        # either side for statistics of its own gets the change of the whole pictures; there it
        # stays as it was, a hole in the result.
        def move(mine: Tensor, theirs: Tensor) -> Tensor:
            flat = wct(mine[0].flatten(1), theirs[0].flatten(1), self.config.published)
            return flat.view(mine.shape)

        if maps is None:
            moved = move(features, target)
        else:
            moved = by_region(move, features, target, maps, self.config.published)
        result = self.decode(moved, pools, level)
        return result if self.config.published else result.clamp(0, 1)

    def decode(self, features: Tensor, pools: list[Pool], level: int) -> Tensor:
        """Map relu{level}_1 features to pictures ``(B, 3, H, W)``, about [0, 1]."""
        return self.decoders[str(level)](features / self.scale(level), pools)

    def scale(self, level: int) -> Tensor:
        """Mean activation of every filter of relu{level}_1 over the training photos."""
        return self.get_buffer(f"scale{level}")


def wct(content: Tensor, style: Tensor, published: bool = False) -> Tensor:
    """Whiten features ``(C, N)``, then colour them with the covariance and mean of ``(C, M)``.

    Differs from the published code: there is no identity added to the photo's covariance, which
    keeps the result's from being the style's, unless ``published`` asks for it; directions in
    which the photo has no variance to speak of stay without, instead of having their noise blown
    up. Symmetric matrices are decomposed as such, in float64.
    """
    mean, values, vectors = _spectrum(content)
    if published:
        values = values + 1
    target_mean, target_values, target_vectors = _spectrum(style)
    kept = values > 1e-8 * values[-1].clamp(min=1e-12)
    whiten = (vectors[:, kept] * values[kept].rsqrt()) @ vectors[:, kept].T
    color = (target_vectors * target_values.clamp(min=0).sqrt()) @ target_vectors.T
    moved, matrix = torch.empty_like(content), color @ whiten
    for part, out in zip(content.split(CHUNK, 1), moved.split(CHUNK, 1), strict=True):
        out.copy_(matrix @ (part.double() - mean) + target_mean)
    return moved


def _spectrum(features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean ``(C, 1)``, and eigenvalues and eigenvectors of the covariance, in float64."""
    parts, count = features.split(CHUNK, 1), features.shape[1]
    mean = torch.stack([part.double().sum(1, keepdim=True) for part in parts]).sum(0) / count
    covariance = mean.new_zeros(len(features), len(features))
    for part in parts:
        centred = part.double() - mean
        covariance.addmm_(centred, centred.T)
    values, vectors = torch.linalg.eigh(covariance / max(1, count - 1))
    return mean, values, vectors


def smooth(
    photo: Tensor,
    colored: Tensor,
    *,
    published: bool = False,
    tolerance: float = 3e-4,
    limit: int = 2000,
) -> Tensor:
    """Solve the smoothing step: colours of ``colored``, edges of ``photo``.

    Args:
        photo: ``(1, 3, H, W)`` in [0, 1], at least 3 × 3 pixels.
        colored: ``(1, C, H, W)``.
        published: Minimise the paper's sum, which makes a dark frame.
        tolerance: Residual relative to the right-hand side at which to stop; the error is then
            below a tenth of a grey level.
        limit: Most iterations.

    Returns:
        ``(1, C, H, W)``.
    """
    height, width = photo.shape[2:]
    bands, scale = system(photo[0])
    sums = covering(height, width).to(scale)
    # Solutions are divided by √D in the paper's sum, and their distance from Y is multiplied by it
    # in ours.
    weights, scale = (1.0, scale * sums.sqrt()) if published else (sums, scale)

    def flat(planes: Tensor) -> Tensor:
        return F.pad(planes, (0, REACH)).float().flatten(1)

    right = flat((1 - BETA) * weights * colored[0] * scale)
    x = flat(colored[0] / scale)
    direction, moved = x.clone(), torch.empty_like(x)
    product = multiplication(bands, direction, moved, width + REACH)
    product()
    residual = right - moved
    direction.copy_(residual)
    energy = dots(residual, residual)
    enough = tolerance**2 * dots(right, right).clamp(min=1e-20)
    for number in range(limit):
        if number % 10 == 0 and bool((energy <= enough).all()):  # asking makes a GPU wait
            break
        product()
        rate = energy / dots(direction, moved).clamp(min=1e-30)
        x.addcmul_(rate, direction)
        residual.addcmul_(-rate, moved)
        fresh = dots(residual, residual)
        direction.mul_(fresh / energy.clamp(min=1e-30)).add_(residual)
        energy = fresh
    planes = x.view(-1, height, width + REACH)[..., :width]
    return (planes * scale)[None].to(colored.dtype)


def dots(first: Tensor, second: Tensor) -> Tensor:
    """Products of the rows of ``(C, N)``, as ``(C, 1)``."""
    return torch.bmm(first[:, None], second[:, :, None])[:, :, 0]


def affinity(photo: Tensor, epsilon: float = 1e-7) -> Tensor:
    """The matting affinity of ``(3, H, W)`` in [0, 1] as diagonals ``(13, H, W)``, float64.

    Diagonal k holds at (y, x) the weight between that pixel and the one :data:`STEPS` [k] further.
    Windows are centred before their covariance is taken: formed as a mean of squares less the
    square of the mean it loses the digits that matter. With its Cholesky factor L a window's
    weights are scalar products of L⁻¹ (I_i - μ), which is less work than an inverse.
    """
    height, width = photo.shape[1:]
    rows, columns = height - REACH, width - REACH
    area = WINDOW**2
    places = [divmod(number, WINDOW) for number in range(area)]
    exact = photo.double()
    white = torch.stack([exact[:, y : y + rows, x : x + columns] for y, x in places], 1)
    white -= white.mean(1, keepdim=True)  # (3, 9, rows, columns)
    covariance = {
        (i, j): (white[i] * white[j]).mean(0) + (epsilon / area if i == j else 0)
        for i in range(3)
        for j in range(i + 1)
    }
    lower: dict[tuple[int, int], Tensor] = {}
    for i in range(3):
        for j in range(i + 1):
            rest = covariance[i, j]
            for k in range(j):
                rest = rest - lower[i, k] * lower[j, k]
            lower[i, j] = rest.sqrt() if i == j else rest / lower[j, j]
        for k in range(i):
            white[i] -= lower[i, k] * white[k]
        white[i] /= lower[i, i]
    bands = exact.new_zeros(len(STEPS), height, width)
    for p, (py, px) in enumerate(places):
        for q, (qy, qx) in enumerate(places[p:], p):
            weights = (white[:, p] * white[:, q]).sum(0).add_(1)
            bands[STEPS.index((qy - py, qx - px)), py : py + rows, px : px + columns] += weights
    return bands.div_(area)


def covering(height: int, width: int) -> Tensor:
    """How many windows each pixel lies in, ``(H, W)``: the row sums of the affinity."""
    down, across = (
        torch.minimum(torch.arange(1, side + 1), torch.arange(side, 0, -1)).clamp(
            max=min(WINDOW, side - REACH)
        )
        for side in (height, width)
    )
    return down[:, None] * across


def system(photo: Tensor) -> tuple[Tensor, Tensor]:
    """``D - β W`` of ``(3, H, W)``, scaled from both sides to a diagonal of ones.

    Returns:
        All diagonals but that, ``(12, H · (W + 2))`` float32: rows end in two columns of zeros, so
        that a pixel's neighbours lie at fixed distances. And the scale ``(H, W)``, float64, which
        turns a solution of the scaled system into one of the system.
    """
    height, width = photo.shape[1:]
    bands = affinity(photo)
    sums = covering(height, width).to(bands)
    scale = (sums - BETA * bands[0]).rsqrt()
    there = F.pad(scale, (REACH, REACH, 0, REACH))
    found = photo.new_zeros(len(STEPS) - 1, height, width + REACH, dtype=torch.float32)
    for band, out, (dy, dx) in zip(bands[1:], found, STEPS[1:], strict=True):
        left = REACH + dx
        out[:, :width] = -BETA * band * scale * there[dy : dy + height, left : left + width]
    return found.flatten(1), scale


def multiplication(bands: Tensor, x: Tensor, out: Tensor, stride: int) -> Callable[[], None]:
    """A function that sets ``out`` to the matrix of :func:`system` times ``x``, ``(C, N)`` each.

    The views are made here, once: making them takes as long as a product of a small picture.
    """
    pieces = []
    for band, (dy, dx) in zip(bands, STEPS[1:], strict=True):
        step = dy * stride + dx
        band = band[:-step]
        pieces.append((out[:, :-step], band, x[:, step:]))
        pieces.append((out[:, step:], band, x[:, :-step]))

    def multiply() -> None:
        out.copy_(x)
        for target, band, source in pieces:
            target.addcmul_(band, source)

    return multiply


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
