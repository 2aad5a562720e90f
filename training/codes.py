"""What the training of style codes needs, and the faults that such methods are known for.

Codes are drawn from a standard normal distribution N(0, I) at random, and come from an encoder
where a style picture is given. Training only ever shows that results of drawn codes look real. If
the codes of pictures lie elsewhere, results in the style of a picture are far worse than random
ones, and no loss says so. :class:`Prior` is the repair and :func:`guided_to_random` the gate.
"""

import logging
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean
from typing import Annotated, Any, TypeVar, cast

import torch
from pydantic import Field
from torch import Tensor, distributed, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from training import faults
from training.adversarial import (
    TranslationRecipe,
    TranslationTrainer,
    mean_of_processes,
)
from training.data import open_pack
from training.loop import STATE
from training.recipe import LoadSize, Run
from zoo import codes as style_codes
from zoo.card import Metric
from zoo.codes import Coded, CodedTranslation
from zoo.method import Direction, Method
from zoo.metrics import kid_vgg19
from zoo.nn.vgg import VGG19, vgg19

log = logging.getLogger(__name__)
COLLAPSED = 0.01  # mean difference of two results in [0, 1]
CALMED_BY = 32  # pictures of each kind


@dataclass(frozen=True, kw_only=True)
class CodedRecipe(TranslationRecipe):
    """What the recipes of MUNIT and DRIT share."""

    load_size: LoadSize = 256
    lr: Annotated[float, Field(gt=0, le=1, description="Learning rate of the generators.")] = 1e-4
    weight_decay: Annotated[
        float, Field(ge=0, le=1, description="Pull of the weights to 0, added to the gradient.")
    ] = 1e-4
    published: Annotated[
        bool, Field(description="The network as published, with idle biases and its faults.")
    ] = False
    skip: Annotated[
        bool,
        Field(description="Decoders add a change to the picture; for kinds that share shapes."),
    ] = False
    discriminator_width: Annotated[
        int, Field(ge=1, le=512, description="Channels of the discriminators' first layer.")
    ] = 64
    discriminator_scales: Annotated[
        int,
        Field(
            ge=1,
            le=5,
            description="At how many sizes pictures are judged; crops below 64 pixels need less.",
        ),
    ] = 3
    reconstruction_weight: Annotated[
        float,
        Field(
            ge=0, le=1e6, description="Weight of a picture from its own two codes; not with a skip."
        ),
    ] = 10.0
    cycle_weight: Annotated[
        float,
        Field(
            ge=0,
            le=1e6,
            description="Weight of coming back to where one began; 0 where kinds of picture share "
            "little but edges.",
        ),
    ] = 10.0
    prior_weight: Annotated[
        float,
        Field(ge=0, le=1e6, description="Weight of codes of pictures being like drawn ones."),
    ] = 1.0
    mode_seeking_weight: Annotated[
        float, Field(ge=0, le=1e6, description="Weight of results differing as their codes do.")
    ] = 0.0
    codes_last: Annotated[
        int,
        Field(
            ge=0,
            le=10**8,
            description="Last steps, after which style encoders are fitted to results of drawn "
            "codes, and codes of pictures spread like those; all else stays as it is.",
        ),
    ] = 0


C = TypeVar("C", bound=CodedRecipe)
M = TypeVar("M", bound=Method)


class CodedTrainer(TranslationTrainer[C]):
    """Training whose results have codes; see :class:`Prior` for what keeps those in place."""

    def __init__(self, recipe: C, run: Run) -> None:
        super().__init__(recipe, run)
        self.fits = {kind: CodeFit() for kind in "AB"}
        if recipe.codes_last:
            self.keep(fit_a=self.fits["A"], fit_b=self.fits["B"])

    @abstractmethod
    def learn(self) -> dict[str, Tensor]:
        """Do one update and return its losses, scalars by name."""

    @abstractmethod
    def last_layer(self, method: Any, domain: str) -> nn.Linear | nn.Conv2d:
        """What gives the codes of pictures of ``domain`` in ``method``."""

    def build(self, method: M) -> M:
        """As any; codes of pictures begin no larger than drawn ones."""
        built = super().build(method)
        if self.recipe.start_from and not (self.run.out / STATE).is_file():
            for domain, stream in (("A", self.a), ("B", self.b)):
                self.calm(domain, stream.pack.tensors(CALMED_BY))
        return built

    @torch.no_grad()
    def calm(self, domain: str, pictures: Sequence[Tensor]) -> None:
        """Let codes of ``pictures``, ``(1, 3, H, W)`` in [0, 1] each, have a mean square of 1.

        Differs from the paper [start_from]: codes of pictures begin no larger than drawn ones.
        Fitted encoders put some pictures far out. What is painted by such codes is no picture, and
        drawing them in would be all that the first steps did.
        """
        method = cast(CodedTranslation, self.method)
        if parametrize.is_parametrized(self.last_layer(method, domain)):
            return  # bounded, and so never fitted
        found = [method.encode_style(2 * p.to(self.device) - 1, domain) for p in pictures]
        square = float(torch.cat(found).float().square().mean())
        if square > 1:
            for network in (self.method, self.result):
                layer = self.last_layer(network, domain)
                layer.weight.div_(square**0.5)
                cast(Tensor, layer.bias).div_(square**0.5)

    def step(self) -> dict[str, Tensor]:
        """Learn; or, in the last steps of a recipe that asks for it, fit the style encoders."""
        if self.done >= self.recipe.steps - self.recipe.codes_last:
            return self.fit_codes()
        for fit in self.fits.values():
            fit.clear()  # an ended run that goes on has those of encoders as they were
        return self.learn()

    def priors(self, size: int) -> tuple["Prior", "Prior"]:
        """A prior of codes of ``size`` numbers for each kind of picture; saved and resumed."""
        first, second = (Prior(size).to(self.device) for _ in range(2))
        self.keep(prior_a=first, prior_b=second)
        return first, second

    def own(self, *given: Tensor) -> list[tuple[Tensor, ...]]:
        """A picture to decode from its own two codes: ``given`` as for :meth:`decode`.

        None where decoders have the picture already: they would only learn that codes of pictures,
        other than drawn ones, ask for no change.
        """
        return [] if self.recipe.skip else [given]

    def decode(self, domain: str, wanted: Sequence[tuple[Tensor, ...]]) -> list[Tensor]:
        """Pictures of ``domain`` in [-1, 1] for contents, codes, and what has these contents.

        One pass for all: no normalisation mixes the pictures of a batch.
        """
        contents, codes, pictures = (torch.cat(parts) for parts in zip(*wanted, strict=True))
        method = cast(CodedTranslation, self.method)
        made = method.decode(contents, codes, domain, pictures if self.recipe.skip else None)
        return list(made.chunk(len(wanted)))

    def fit_codes(self) -> dict[str, Tensor]:
        """Take in codes of results; after the last step, fit the style encoders to them.

        Differs from the paper [codes_last]: style encoders are fitted anew. What networks that
        learn together make of a code is not what the encoders say, least of all after a short
        training. The last layer of an encoder is linear, so what finds drawn codes best is known
        exactly.
        """
        method = cast(CodedTranslation, self.result)
        reals = dict(zip("AB", self.reals(0), strict=True))
        apart = []
        for here, there in ("AB", "BA"):
            layer = self.last_layer(method, here)
            drawn = self.normal(f"drawn_{here}", method.code_size)
            seen: list[Tensor] = []
            hook = layer.register_forward_pre_hook(lambda _, given: seen.append(given[0]))  # noqa: B023
            with torch.no_grad(), self.autocast():
                content = method.encode_content(reals[there], there)
                base = reals[there] if self.recipe.skip else None
                fake = method.decode(content, drawn, here, base)
                codes = [method.encode_style(images, here) for images in (reals[here], fake)]
            hook.remove()
            real, made = (features.flatten(1) for features in seen)
            self.fits[here].update(*map(self.accelerator.gather, (real, made, drawn)))
            apart.append(l1(codes[1], drawn))
        if self.done == self.recipe.steps - 1:
            for here, fit in self.fits.items():
                weight, bias = fit.solved()
                for network in (self.method, self.result):
                    layer = self.last_layer(network, here)
                    with torch.no_grad():
                        layer.weight.copy_(weight.view_as(layer.weight))
                        cast(Tensor, layer.bias).copy_(bias)
        return {"style": sum(apart, torch.zeros((), device=self.device))}

    def sample(self) -> Tensor:
        """Both directions: photos, two drawn translations, style pictures, one in their style."""
        a, b = (self.examples(stream, self.columns) for stream in (self.a, self.b))
        method = cast(Coded, self.result)
        return torch.cat([sheet(method, a, b, "AtoB"), sheet(method, b, a, "BtoA")])


def l1(found: Tensor, wanted: Tensor) -> Tensor:
    """Mean absolute difference, in float32 whatever the precision of the networks."""
    return F.l1_loss(found.float(), wanted.float())


class Prior(nn.Module):
    """Keeps the codes of pictures distributed like those that are drawn.

    Differs from the paper [prior_weight]: codes of pictures are kept like drawn ones as a whole.
    MUNIT's has nothing for that, and DRIT's compares every code with those by itself.

    A normal distribution N(m, Σ) with the moments of the latest codes stands for where codes are.
    Its divergence KL(N(m, Σ) ‖ N(0, I)) is the mean over codes z of

        log N(z; m, Σ) - log N(z; 0, I) = ½ (|z|² - (z - m)ᵀ Σ⁻¹ (z - m) - log det Σ)

    and with m and Σ held constant the gradient of that mean is the gradient of the divergence.
    Every code thus has a loss of its own, which works for batches of one: it is drawn to 0, and
    pushed from m where codes crowd. Unlike a penalty on |z|² alone it does not shrink what pictures
    tell apart, and unlike whitening afterwards it makes the decoder learn with the codes it gets.

    Args:
        size: Numbers of a code.
        memory: Over how many codes the moments are averaged.
        floor: Share of the prior in the covariance, so that codes that are all alike are pushed
            apart with finite force.
    """

    def __init__(self, size: int, memory: int = 64, floor: float = 0.05) -> None:
        super().__init__()
        self.memory, self.floor = memory, floor
        # A fresh one has nothing against any code.
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("covariance", torch.eye(size))
        self.mean: Tensor
        self.covariance: Tensor

    def forward(self, codes: Tensor) -> Tensor:
        """Mean loss of codes ``(B, size)``, per number of a code."""
        prior = torch.eye(codes.shape[1], device=codes.device)
        covariance = (self.covariance + self.floor * prior) / (1 + self.floor)
        away = codes - self.mean
        crowding = (torch.linalg.solve(covariance, away.T).T * away).sum(1)
        ratio = codes.square().sum(1) - crowding - torch.logdet(covariance)
        return 0.5 * ratio.mean() / codes.shape[1]

    @torch.no_grad()
    def update(self, codes: Tensor) -> None:
        """Take in ``codes`` ``(B, size)``, those of all processes."""
        codes = codes.detach()
        processes = distributed.get_world_size() if distributed.is_initialized() else 1
        share = processes * len(codes) / self.memory
        away = codes - self.mean
        spread = mean_of_processes(away.T @ away / len(codes))
        self.covariance.lerp_(spread, min(1.0, share))
        # A mean that lags pushes codes on in the direction they move, and they swing for ever.
        self.mean.lerp_(mean_of_processes(codes.mean(0)), min(1.0, 4 * share))


class CodeFit:
    """The last layer that a style encoder should have, from what its layers before say.

    Least squares between features of results and the codes that these were drawn by; then the
    codes of pictures are spread like drawn ones, turned as little as that allows. What results of
    drawn codes have in their favour, results in the style of pictures then have as well.

    Pictures are not results, and codes of some are far out. They must not decide how far all others
    are pushed together: the spread is that of the multivariate t distribution with one degree of
    freedom (Kent, Tyler & Vardi, A curious likelihood identity, 1994), scaled to the median length.

    Args:
        ridge: Added to the moments of the features, as a share of their mean: some hundred results
            do not tell a hundred features apart.
    """

    def __init__(self, ridge: float = 1e-3) -> None:
        self.ridge = ridge
        self.rows: dict[str, list[Tensor]] = {"real": [], "made": [], "drawn": []}

    def clear(self) -> None:
        """Forget all that was taken in."""
        for rows in self.rows.values():
            rows.clear()

    def update(self, real: Tensor, made: Tensor, drawn: Tensor) -> None:
        """Take in features ``(B, features)`` of pictures and results, and codes ``(B, size)``."""
        for rows, new in zip(self.rows.values(), (real, made, drawn), strict=True):
            rows.append(new.detach().double().cpu())

    def solved(self) -> tuple[Tensor, Tensor]:
        """Weight ``(size, features)`` and bias ``(size,)`` of the last layer, in float64."""
        real, made, drawn = (torch.cat(rows) for rows in self.rows.values())
        middle = made.mean(0)
        away = made - middle
        moments = away.T @ away / len(away)
        ridge = self.ridge * moments.diagonal().mean() * torch.eye(len(moments)).to(moments)
        weight = torch.linalg.solve(moments + ridge, away.T @ (drawn - drawn.mean(0)) / len(away)).T
        codes = (real - middle) @ weight.T
        center, scatter = _t_moments(codes)
        values, vectors = torch.linalg.eigh(scatter)
        spread = vectors @ (values.clamp(min=1e-12).rsqrt()[:, None] * vectors.T)
        size = codes.shape[1]
        usual = (size * (1 - 2 / (9 * size)) ** 3) ** 0.5  # Wilson & Hilferty's median of χ
        spread = spread * usual / ((codes - center) @ spread).norm(dim=1).median()
        return spread @ weight, -spread @ (weight @ middle + center)

    def state_dict(self) -> dict[str, list[Tensor]]:
        """All that was taken in."""
        return self.rows

    def load_state_dict(self, state: dict[str, list[Tensor]]) -> None:
        """Take up what :meth:`state_dict` gave."""
        self.rows = state


def _t_moments(codes: Tensor, steps: int = 100) -> tuple[Tensor, Tensor]:
    """Location ``(n,)`` and scatter ``(n, n)`` of ``(N, n)`` as a t with one degree of freedom."""
    size = codes.shape[1]
    center, scatter = codes.median(0).values, codes.T.cov()
    for _ in range(steps):
        away = codes - center
        distances = (torch.linalg.pinv(scatter, hermitian=True) @ away.T * away.T).sum(0)
        weights = (size + 1) / (1 + distances)
        center = weights @ codes / weights.sum()
        away = codes - center
        scatter = (weights[:, None] * away).T @ away / len(codes)
    return center, scatter


def mode_seeking(
    first: Tensor, second: Tensor, first_code: Tensor, second_code: Tensor, eps: float = 1e-5
) -> Tensor:
    """How little two results of one content differ for how much their codes do.

    Differs from the paper [mode_seeking_weight]: it costs when results differ less than their
    codes, which keeps a generator from ignoring the code (Mao et al., arXiv:1903.05628).

    Args:
        first: Results ``(B, 3, H, W)`` of the first codes.
        second: The same of the second codes.
        first_code: ``(B, size)``.
        second_code: ``(B, size)``.
        eps: Keeps results that are the same from an infinite loss.

    Returns:
        The mean over the pictures of 1 / (mean |I₁ - I₂| / mean |z₁ - z₂| + eps).
    """
    seen = (first - second).abs().flatten(1).mean(1)
    drawn = (first_code - second_code).abs().mean(1)
    return (1 / (seen / drawn + eps)).mean()


@torch.no_grad()
def sheet(method: Coded, contents: Tensor, styles: Tensor, direction: Direction) -> Tensor:
    """Rows for the eye, with a warning where all codes give the same.

    Args:
        method: What translates.
        contents: ``(n, 3, H, W)`` in [0, 1].
        styles: As many of the other kind.
        direction: From the kind of ``contents`` to that of ``styles``.

    Returns:
        ``(5n, 3, H, W)``: the contents, results of seeds 0 and 1, the styles, results in them.
    """
    made = []
    for content, style in zip(contents.split(1), styles.split(1), strict=True):
        codes = torch.cat([method.codes(0, 2), method.code_of(style, direction)])
        made.append(method.render(content, codes, direction))
    first, second, guided = torch.stack(made).unbind(1)
    change = float((first - second).abs().mean())
    if change < COLLAPSED:
        log.warning(
            "%s: all codes give nearly the same picture (they differ by %.4f). Where that stays, "
            "start anew with a mode-seeking weight, or a smaller weight of coming back",
            direction,
            change,
        )
    return torch.cat([contents, first, second, styles, guided])


@torch.no_grad()
def spread(
    method: Coded, content: Tensor, direction: Direction, encoder: VGG19, count: int = 10
) -> float:
    """Mean perceptual distance of ``count`` results of one content; near 0 the style collapsed.

    Args:
        method: What translates.
        content: ``(1, 3, H, W)`` in [0, 1].
        direction: Which way.
        encoder: VGG-19 on the same device.
        count: The seeds are 0 to ``count - 1``.
    """
    made = method.render(content, method.codes(0, count), direction)
    return faults.diversity(made, encoder)


@torch.no_grad()
def steadiness(
    method: Coded,
    content: Tensor,
    direction: Direction,
    encoder: VGG19,
    seeds: tuple[int, int] = (0, 1),
    stops: int = 6,
) -> float:
    """How evenly results move from one code to another, in [-1, 1].

    Perceptual distances from the first result along the way: the sum of their steps over the sum of
    the sizes of their steps. 1 is a way on which every stop is farther from the start than the one
    before; jumps to and fro give less, and a result that never moves gives 0.

    Args:
        method: What translates.
        content: ``(1, 3, H, W)`` in [0, 1].
        direction: Which way.
        encoder: VGG-19 on the same device.
        seeds: Of the two ends.
        stops: On the way, the ends included.
    """
    start, end = (method.codes(seed, 1) for seed in seeds)
    shares = [i / (stops - 1) for i in range(stops)]
    made = method.render(content, style_codes.slerp(start, end, shares), direction)
    found = faults.fingerprints(made, encoder)
    far = (found - found[:1]).norm(dim=1).tolist()
    steps = [after - before for before, after in pairwise(far)]
    size = sum(map(abs, steps))
    return sum(steps) / size if size > 1e-6 else 0.0


@torch.no_grad()
def guided_to_random(
    method: Coded,
    contents: Sequence[Tensor],
    styles: Sequence[Tensor],
    direction: Direction,
    encoder: VGG19,
) -> float:
    """KID of results in the style of pictures over that of results of drawn codes.

    Above 1 the codes of pictures are worse than random ones. Small sets tell KIDs apart only so
    far: a KID below the distance of two halves of the style pictures counts as that.

    Args:
        method: What translates.
        contents: Each ``(1, 3, H, W)`` in [0, 1], of the domain that ``direction`` comes from.
        styles: As many of the domain it leads to, at least 4; each lends its style to one content,
            and all together are what results should look like.
        direction: Which way.
        encoder: VGG-19 on the same device.
    """
    guided, random = [], []
    for seed, (content, style) in enumerate(zip(contents, styles, strict=True)):
        chosen = torch.cat([method.code_of(style, direction), method.codes(seed, 1)])
        both = method.render(content, chosen, direction)
        guided.append(both[:1])
        random.append(both[1:])
    resolution = abs(kid_vgg19(styles[::2], styles[1::2], encoder))
    found = kid_vgg19(guided, styles, encoder), kid_vgg19(random, styles, encoder)
    return max(found[0], resolution) / max(found[1], resolution)


GATED = 64  # training pictures of each kind at most that guidance is measured on


@torch.no_grad()
def gate(method: Coded, photos: Sequence[Tensor], recipe: CodedRecipe) -> list[Metric]:
    """Measure the faults of methods with codes, both ways; for :mod:`training.publish`.

    Args:
        method: Trained.
        photos: ``(1, 3, H, W)`` in [0, 1] each; none, and the photos of the training are taken.
        recipe: What it was trained by; the training pictures are read where it says.

    Raises:
        CheckpointError: Light and dark change places, all codes give the same, results jump on the
            way from code to code, or codes of pictures are worse than drawn ones.
        InputError: The training pictures are not there any more.
    """
    encoder = vgg19()
    a, b = (
        open_pack(folder, recipe.load_size, Run.packs).tensors(GATED)
        for folder in (recipe.domain_a, recipe.domain_b)
    )
    count = min(len(a), len(b))
    a, b = a[:count], b[:count]
    ways: list[tuple[Direction, list[Tensor], list[Tensor]]] = [("AtoB", a, b), ("BtoA", b, a)]
    measured = []
    for direction, before, after in ways:
        tried = [faults.fitted(photo) for photo in photos] or before[:4]
        found = faults_of_codes(method, tried, direction, encoder)
        found["guided"] = guided_to_random(method, before, after, direction, encoder)
        data = f"{len(tried)} pictures; guidance on {count} training pictures of each kind"
        measured += faults.admitted(found, direction, data)
    return measured


@torch.no_grad()
def faults_of_codes(
    method: Coded, photos: Sequence[Tensor], direction: Direction, encoder: VGG19
) -> dict[str, float]:
    """Means over ``photos``, each ``(1, 3, H, W)`` with sides that 8 divides."""
    found: dict[str, list[float]] = {}
    for photo in photos:
        made = method.render(photo, method.codes(0, 10), direction)
        pairs = [(one, photo) for one in made[:2].split(1)]
        for name, value in (
            ("likeness", mean(faults.luminance_correlation(*pair) for pair in pairs)),
            ("checkerboard", mean(faults.checkerboard(*pair) for pair in pairs)),
            ("diversity", faults.diversity(made, encoder)),
            ("steadiness", steadiness(method, photo, direction, encoder)),
        ):
            found.setdefault(name, []).append(value)
    return {name: mean(values) for name, values in found.items()}
