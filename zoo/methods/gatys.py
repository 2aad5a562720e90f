"""Gatys: optimise the pixels themselves; the slow method that started it all.

Source: Gatys, Ecker & Bethge, Image Style Transfer Using Convolutional Neural Networks (CVPR
2016; first as arXiv:1508.06576). The picture x minimises

    content_weight · MSE(F, P)  +  style_weight · Σ_l MSE(G_l, A_l) / C_l²  +  tv_weight · TV

with F, P the features of x and of the photo at relu4_2 (or relu5_2), and G_l, A_l the Gram matrices
F Fᵀ / N of x and of the style picture at relu1_1, 2_1, 3_1, 4_1 and 5_1. These are the constants of
the code that the authors published; the paper writes the content term as half a sum and the style
term with 1 / (4 C² N²), which differs from this only in the two weights. Features are those of the
original VGG-19 weights (Caffe), pixels in 0..255.

By region as Gatys, Ecker, Bethge, Hertzmann & Shechtman, Controlling Perceptual Factors in Neural
Style Transfer (arXiv:1611.07865, section 4.1): with guidance channels T_r of the regions, sampled
down to each layer and normalised to a sum of squares of 1, G_l is replaced by the Gram matrices
(T_r∘F)(T_r∘F)ᵀ, and the style term is summed over r, each weighted by its share of the photo, so
that regions do not make the style stronger.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from zoo.form import Control
from zoo.method import (
    Content,
    ContentRegions,
    Method,
    MoreStyles,
    Paper,
    Seed,
    Step,
    Style,
    StyleRegions,
    StyleShares,
    shares,
)
from zoo.nn.stats import gram, pairs
from zoo.nn.vgg import VGG19, Pooling, Weights, vgg19

CONTENT_LAYER: Literal["relu4_2"] = "relu4_2"
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
REACH = 0.1  # root of the mean squared change of pixels that a step of L-BFGS may make
SMALLEST_SCALE = 96  # below this, relu5_1 has too few positions for a Gram matrix


@dataclass(frozen=True, kw_only=True)
class GatysConfig:
    """The encoder; nothing else is stored, for the weights of this method are the picture.

    Args:
        weights: Whose VGG-19; :func:`gains` makes the loss weights of the form, which are those
            for "caffe", mean the same for both.
        pooling: "max", or the paper's "average" (section 2).
    """

    weights: Weights = "caffe"
    pooling: Pooling = "max"


class Objective:
    """The loss of one photo and its style pictures at one size, as a function of the picture.

    Args:
        encoder: A frozen VGG-19.
        content: ``(1, 3, H, W)`` in [0, 1].
        styles: Pairs of a style picture ``(1, 3, h, w)`` in [0, 1] and its share; Gram matrices
            are mixed in these shares, so two styles cost no more than one.
        content_weight: Weight of the content term.
        style_weight: Weight of the style term.
        tv_weight: Weight of the total variation, the mean squared difference of neighbouring
            pixels in 0..255.
        content_layer: Whose features the content term compares.
        gains: By what to multiply the features of a layer in the loss, as :func:`gains` returns it.
        maps: Labels of the photo and of the first style picture, ``(1, 1, ·, ·)``. A region takes
            after the same region of that one and, in their shares, after the whole of the others.
    """

    def __init__(
        self,
        encoder: VGG19,
        content: Tensor,
        styles: list[tuple[Tensor, float]],
        *,
        content_weight: float = 1.0,
        style_weight: float = 1000.0,
        tv_weight: float = 0.0,
        content_layer: str = CONTENT_LAYER,
        gains: Mapping[str, float] = MappingProxyType({}),
        maps: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        self.encoder = encoder
        self.content_layer = content_layer
        self.gains = dict.fromkeys((content_layer, *STYLE_LAYERS), 1.0) | dict(gains)
        self.content_weight, self.style_weight = content_weight, style_weight
        self.tv_weight = tv_weight
        with torch.no_grad():
            self.content = encoder(content, [content_layer])[content_layer].float()
            self.grams = dict.fromkeys(STYLE_LAYERS, torch.zeros((), device=content.device))
            for style, share in styles:
                for layer, features in encoder(style, STYLE_LAYERS).items():
                    self.grams[layer] = self.grams[layer] + share * gram(features)
            self.guides = self._guides(content, *styles[0], maps) if maps else {}

    def _guides(
        self, content: Tensor, style: Tensor, share: float, maps: tuple[Tensor, Tensor]
    ) -> dict[str, list[tuple[Tensor, Tensor]]]:
        """By layer the regions: a mask ``(H, W)`` and the Gram matrix it shall have."""
        mine, theirs = (self.encoder(one, STYLE_LAYERS) for one in (content, style))
        guides: dict[str, list[tuple[Tensor, Tensor]]] = {layer: [] for layer in STYLE_LAYERS}
        for layer, features in theirs.items():
            for here, there in pairs(maps, mine[layer].shape[2:], features.shape[2:]):
                target = self.grams[layer]
                if there is not None:
                    target = target + share * (guided(features, there) - gram(features))
                guides[layer].append((here, target))
        return guides

    def terms(self, image: Tensor) -> dict[str, Tensor]:
        """The weighted terms for ``image`` ``(1, 3, H, W)``, scalars that sum up to the loss."""
        features = self.encoder(image, [self.content_layer, *STYLE_LAYERS])
        content_loss = F.mse_loss(features[self.content_layer].float(), self.content)
        content_loss = self.gains[self.content_layer] ** 2 * content_loss
        style_loss = torch.zeros((), device=image.device)
        for layer, target in self.grams.items():
            weight = self.gains[layer] ** 4 / target.shape[1] ** 2
            if layer not in self.guides:
                loss = F.mse_loss(gram(features[layer]), target)
                style_loss = style_loss + weight * loss
            for here, wanted in self.guides.get(layer, []):
                loss = here.float().mean() * F.mse_loss(guided(features[layer], here), wanted)
                style_loss = style_loss + weight * loss
        terms = {
            "content": self.content_weight * content_loss,
            "style": self.style_weight * style_loss,
        }
        if self.tv_weight:
            terms["tv"] = self.tv_weight * total_variation(image)
        return terms

    def __call__(self, image: Tensor) -> Tensor:
        """The loss of ``image``, a scalar."""
        return torch.stack(list(self.terms(image).values())).sum()


def guided(features: Tensor, here: Tensor) -> Tensor:
    """Gram matrix ``(1, C, C)`` of ``(1, C, H, W)`` where the mask ``(H, W)`` is true."""
    return gram(features * here) / here.float().mean()


def gains(
    encoder: VGG19, usual: VGG19, photo: Tensor, content_layer: str = CONTENT_LAYER
) -> dict[str, float]:
    """How much larger ``usual`` makes the features of ``photo`` ``(1, 3, H, W)``, by layer.

    The loss weights are made for the original weights. torchvision's make features that are two to
    three orders of magnitude smaller; content goes with their square, style with their fourth
    power, and the total variation, which sees pixels, would be all that is left. The ratio of
    root mean squares is measured on the photo itself: it differs from layer to layer, and
    torchvision's weights, which need a download, were not at hand to make a table of.
    """
    layers = (content_layer, *STYLE_LAYERS)
    mine, theirs = (
        {name: f.float().square().mean().sqrt() for name, f in network(photo, layers).items()}
        for network in (encoder, usual)
    )
    return {name: float(theirs[name] / mine[name].clamp(min=1e-12)) for name in layers}


def total_variation(image: Tensor) -> Tensor:
    """Mean squared difference of neighbouring pixels of ``(1, 3, H, W)``, in units of 1/255."""
    down = image[..., 1:, :] - image[..., :-1, :]
    right = image[..., 1:] - image[..., :-1]
    return 255**2 * (down.square().mean() + right.square().mean())


class Gatys(Method):
    """Optimise a picture until its features match the photo and its Gram matrices the style."""

    name = "gatys"
    title = "Gatys"
    summary = "Paints one picture by optimisation: the slowest method, and often the richest."
    paper = Paper(
        "A Neural Algorithm of Artistic Style",
        "Leon A. Gatys, Alexander S. Ecker, Matthias Bethge",
        2015,
        "1508.06576",
    )
    checkpoint = "zoo/gatys"
    Config = GatysConfig
    multiple = 1
    films = False
    bf16 = True

    @torch.enable_grad()
    def forward(
        self,
        content: Content,
        style: Style,
        *,
        steps: Annotated[
            int,
            Field(ge=10, le=2000, description="More steps, finer result."),
            Control(step=10),
        ] = 200,
        style_weight: Annotated[
            float,
            Field(ge=1, le=1e6, description="Higher: more of the style, less of the photo."),
            Control(log=True),
        ] = 100.0,
        more_styles: MoreStyles = [],  # noqa: B006 read, never changed
        style_weights: StyleShares = [],  # noqa: B006
        content_weight: Annotated[
            float,
            Field(ge=0, le=100, description="0 leaves the photo only as the starting point."),
            Control(more=True),
        ] = 1.0,
        content_layer: Annotated[
            Literal["relu4_2", "relu5_2"],
            Field(description="The deeper one holds on to shapes and lets go of detail."),
            Control(more=True, words={"relu4_2": "Middle (relu4_2)", "relu5_2": "Deep (relu5_2)"}),
        ] = CONTENT_LAYER,
        tv_weight: Annotated[
            float,
            Field(ge=0, le=1000, title="Smoothness", description="Weight of the total variation."),
            Control(more=True, step=10),
        ] = 10.0,
        start: Annotated[
            Literal["photo", "noise"],
            Field(title="Start from"),
            Control(more=True),
        ] = "photo",
        optimizer: Annotated[
            Literal["lbfgs", "adam"],
            Control(more=True, words={"lbfgs": "L-BFGS", "adam": "Adam"}),
        ] = "lbfgs",
        coarse_to_fine: Annotated[
            bool,
            Field(description="Paint at small sizes first: faster, with larger strokes."),
            Control(more=True),
        ] = True,
        seed: Seed = 0,
        content_regions: ContentRegions = None,
        style_regions: StyleRegions = None,
    ) -> Iterator[Step]:
        """Yield the picture after each step of the optimiser.

        Raises InputError when the shares do not fit the style pictures.
        """
        styles = list(
            zip([style, *more_styles], shares(style_weights, 1 + len(more_styles)), strict=True)
        )
        maps = None
        if content_regions is not None and style_regions is not None:
            maps = content_regions, style_regions
        encoder = vgg19(self.config.weights, self.config.pooling, content.device, self.precision)
        image = start_image(content, start, seed)
        number = 0
        height, width = content.shape[2:]
        plan = schedule((height, width), steps, coarse_to_fine)
        scale: dict[str, float] = {}
        if self.config.weights != "caffe":
            usual = vgg19("caffe", self.config.pooling, content.device, self.precision)
            with torch.no_grad():
                scale = gains(encoder, usual, resample(content, plan[0][0]), content_layer)
        for size, count in plan:
            small = resample(content, size)
            factor = size[0] / content.shape[2]
            objective = Objective(
                encoder,
                small,
                [(resample(s, scaled(s, factor)), share) for s, share in styles],
                content_weight=content_weight,
                style_weight=style_weight,
                tv_weight=tv_weight,
                content_layer=content_layer,
                gains=scale,
                maps=maps,
            )
            begin = resample(image, size)
            for image in optimise(begin, objective, count, optimizer):
                number += 1
                yield Step(image, number, steps)


def start_image(content: Tensor, start: str, seed: int) -> Tensor:
    """The picture to begin with, like ``content`` ``(1, 3, H, W)``: itself, or noise.

    The noise is drawn on the CPU, so that a seed means the same picture on every device.
    """
    if start == "photo":
        return content.clone()
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(content.shape, generator=generator)
    return (0.5 + 0.1 * noise).clamp(0, 1).to(content.device)


def schedule(
    shape: tuple[int, int], steps: int, coarse_to_fine: bool
) -> list[tuple[tuple[int, int], int]]:
    """Sizes (height, width) in pixels from small to ``shape``, each with its number of steps."""
    height, width = shape
    sizes = [(height, width)]
    while coarse_to_fine and min(sizes[0]) // 2 >= SMALLEST_SCALE:
        sizes.insert(0, (sizes[0][0] // 2, sizes[0][1] // 2))
    each, rest = divmod(steps, len(sizes))
    counts = [each + (index < rest) for index in range(len(sizes))]
    return [(size, count) for size, count in zip(sizes, counts, strict=True) if count]


def scaled(images: Tensor, factor: float) -> tuple[int, int]:
    """Size (height, width) of ``images`` times ``factor``, at least 16 pixels a side."""
    return max(16, round(images.shape[2] * factor)), max(16, round(images.shape[3] * factor))


def resample(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize ``(1, 3, H, W)`` with antialiasing; the same tensor where the size fits already."""
    if images.shape[2:] == size:
        return images
    return F.interpolate(images, size, mode="bicubic", antialias=True).clamp(0, 1)


def optimise(image: Tensor, objective: Objective, steps: int, optimizer: str) -> Iterator[Tensor]:
    """Yield the picture after each of ``steps`` steps from ``image`` ``(1, 3, H, W)``."""
    yield from (lbfgs if optimizer == "lbfgs" else adam)(image, objective, steps)


class Basis:
    """Coordinates in which the search is easy: pictures as white noise of a useful size.

    Pictures have most of their energy in low frequencies, and so has what the loss wants changed;
    dividing each frequency's coefficient by its usual amplitude, 1/√f, evens that out (the
    preconditioning of Olah, Mordvintsev & Schubert, Feature Visualization, Distill 2017, which
    uses 1/f). The loss is the paper's; only the way to its minimum gets shorter.

    Torch's first L-BFGS step has an L1 norm of 1 in whatever units the variable has. ``unit`` makes
    that a tenth of a level for a pixel on average. In the pixels' own units it would vanish in
    rounding, and with it the first estimate of the curvature, from which L-BFGS takes long to
    recover (in bfloat16 it may never).
    """

    def __init__(self, like: Tensor) -> None:
        height, width = like.shape[2:]
        down, right = torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None]
        frequency = (down.square() + right.square()).sqrt().clamp(min=1 / max(height, width))
        amplitude = frequency.rsqrt()
        amplitude = amplitude / amplitude.square().mean().sqrt()
        unit = 0.1 / 255 * like.numel()
        self.size = (height, width)
        self.gain = (unit * amplitude).to(like.device)

    def to_image(self, coordinates: Tensor) -> Tensor:
        """Coordinates ``(1, 3, H, W)`` to the picture ``(1, 3, H, W)`` in [0, 1].

        Clamped here and not at the end, as the published code does, so that the loss that is
        minimised is the loss of the picture that people get.
        """
        return self.to_pixels(coordinates).clamp(0, 1)

    def to_pixels(self, coordinates: Tensor) -> Tensor:
        """As :meth:`to_image`, linear: not clamped."""
        return torch.fft.irfft2(torch.fft.rfft2(coordinates) * self.gain, s=self.size)

    def from_image(self, image: Tensor) -> Tensor:
        """The coordinates of a picture in [0, 1]; the inverse of :meth:`to_image`."""
        return torch.fft.irfft2(torch.fft.rfft2(image) / self.gain, s=self.size)


def lbfgs(image: Tensor, objective: Objective, steps: int) -> Iterator[Tensor]:
    """L-BFGS without line search, made safe by a bound on the step.

    Far from the style the loss is almost straight or bends the wrong way, and L-BFGS takes that for
    a reason to leap. So no step moves pixels by more than ``reach`` on average; a step that doubles
    the loss is taken back and halves it, a good one widens it again.
    """
    basis = Basis(image)
    # L-BFGS refuses a channels-last variable.
    variable = basis.from_image(image).contiguous().requires_grad_()

    def restart() -> torch.optim.LBFGS:
        # History 20 instead of 100: the same loss after as many steps, in a fifth of the memory.
        return torch.optim.LBFGS([variable], lr=1.0, max_iter=1, history_size=20)

    def closure() -> Tensor:
        solver.zero_grad()
        loss = objective(basis.to_image(variable))
        loss.backward()
        return loss

    solver = restart()
    reach = REACH
    best_loss, best = float("inf"), variable.detach().clone()
    for number in range(1, steps + 1):
        before = variable.detach().clone()
        loss = float(solver.step(closure).detach())
        if loss <= 2 * best_loss:
            if loss < best_loss:
                best_loss, best = loss, before
                reach = min(REACH, 1.5 * reach)
            with torch.no_grad():
                moved = basis.to_pixels(variable - before).square().mean().sqrt()
                share = (reach / moved).clamp(max=1).item()
                variable.copy_(torch.lerp(before, variable, share))
            solver.state[variable]["t"] *= share  # the step it shall believe to have made
        else:  # also for NaN
            with torch.no_grad():
                variable.copy_(best)
            solver = restart()
            reach /= 2
        if number == steps:  # nothing has looked at the last step yet
            with torch.no_grad():
                if not float(objective(basis.to_image(variable))) <= best_loss:
                    variable.copy_(best)
        yield basis.to_image(variable.detach())


def adam(image: Tensor, objective: Objective, steps: int) -> Iterator[Tensor]:
    """Adam on pixels in [0, 1], kept inside after each step; less memory than L-BFGS."""
    variable = image.clone().requires_grad_()
    # Pixels in 0..255 need a learning rate of 1 to 10; this is the same in [0, 1].
    solver = torch.optim.Adam([variable], lr=0.02, betas=(0.9, 0.99))
    for _ in range(steps):
        solver.zero_grad()
        objective(variable).backward()
        solver.step()
        with torch.no_grad():
            variable.clamp_(0, 1)
        yield variable.detach().clone()
