"""What adversarial recipes share: two sides that take turns, with all it takes to resume exactly.

Nothing is wrapped for several processes. A generator that runs three times in a step, and a
discriminator that is frozen in one half of it, are what such wrappers do not support; instead
gradients are averaged over the processes when an optimiser steps. Everything random belongs to a
place in the data: it depends on the seed, its purpose and the picture's position alone. So two
processes with half a batch each draw what one with the whole batch draws.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast
from zlib import crc32

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, distributed, nn
from torch.nn import functional as F

from training.loop import CHECKPOINT, STATE, Trainer, read_state
from training.recipe import (
    BatchSize,
    CheckerboardWeight,
    Cooldown,
    LoadSize,
    Optimizer,
    Recipe,
    Run,
)
from zoo.errors import CheckpointError
from zoo.nn.translation import initialise, spectral

Objective = Literal["lsgan", "hinge", "bce"]
JudgeExtra = Annotated[
    int,
    Field(
        ge=0,
        le=1000,
        description="Further batches that the discriminators see in a step: other real pictures, "
        "and earlier results from the pool.",
    ),
]
PoolSize = Annotated[
    int,
    Field(
        ge=0,
        le=10_000,
        description="Earlier results that discriminators are shown again; 0 for none.",
    ),
]
Exposure = Annotated[
    float,
    Field(
        ge=0,
        le=3,
        description="Photographic stops by which inputs are made lighter or darker, with what they "
        "should become, where pairs say what that is.",
    ),
]
FURTHER = 10**9  # a position in the data where no step's own batch comes to
N = TypeVar("N", bound=nn.Module)


@dataclass(frozen=True, kw_only=True)
class AdversarialRecipe(Recipe):
    """What all adversarial recipes share; the rate is constant, then falls in a line to 0."""

    batch_size: BatchSize = 1
    load_size: LoadSize = 286
    lr: Annotated[float, Field(gt=0, le=1, description="Learning rate of the generators.")] = 2e-4
    cooldown: Cooldown = 0.5
    halve_every: Annotated[
        int, Field(ge=0, le=10**8, description="Steps after which the rate halves; 0 never.")
    ] = 0
    discriminator_rate: Annotated[
        float,
        Field(gt=0, le=100, description="The discriminators' rate as a multiple of the rate."),
    ] = 1.0
    beta1: Annotated[float, Field(ge=0, lt=1, description="Adam's memory of gradients.")] = 0.5
    beta2: Annotated[
        float, Field(ge=0, lt=1, description="Adam's memory of squared gradients.")
    ] = 0.999
    weight_decay: Annotated[
        float, Field(ge=0, le=1, description="Pull of the weights to 0, added to the gradient.")
    ] = 0.0
    # Differs from the paper [objective=hinge]: the sides play for the hinge (arXiv:1705.02894).
    objective: Annotated[
        Objective, Field(description="What the sides play for: least squares, hinge or entropy.")
    ] = "lsgan"
    # Differs from the paper [spectral]: discriminators are bounded by spectral normalisation
    # (arXiv:1802.05957).
    spectral: Annotated[
        bool, Field(description="Bound the discriminators by spectral normalisation.")
    ] = False
    # Differs from the paper [judged=features]: discriminators look at features of a trained network
    # (Projected GANs, arXiv:2111.01007).
    judged: Annotated[
        Literal["pixels", "features"],
        Field(
            description="What discriminators look at: the paper's pixels, or features of VGG-19, "
            "from which a short training on few pictures learns far more; bound those by "
            "--spectral and let them play for the hinge."
        ),
    ] = "pixels"
    shift: Annotated[
        int,
        Field(
            ge=0,
            le=256,
            description="Pixels at most by which pictures are shifted before their features are "
            "judged, so that the grid of VGG-19's pools leaves no weave; crops lose as many.",
        ),
    ] = 0

    def rate(self, step: int) -> float:
        """Learning rate of the ``step``-th update, counted from 0: a pure function of the step."""
        halvings = step // self.halve_every if self.halve_every else 0
        return super().rate(step) * 0.5**halvings


@dataclass(frozen=True, kw_only=True)
class TranslationRecipe(AdversarialRecipe):
    """What recipes for two domains of pictures share."""

    domain_a: Annotated[Path, Field(description="Folder of pictures of one kind, or a pack.")]
    domain_b: Annotated[Path, Field(description="Folder of pictures of the other kind.")]
    name_a: Annotated[str, Field(description="What people call the first kind.")] = "A"
    name_b: Annotated[str, Field(description="What people call the second kind.")] = "B"
    # Differs from the paper [judge_warmup]: discriminators alone learn at first. Generators learn
    # nothing from one that tells nothing, and trained ones forget.
    judge_warmup: Annotated[
        int,
        Field(
            ge=0,
            le=10**8,
            description="First steps, in which the discriminators alone learn.",
        ),
    ] = 0
    # Differs from the paper [checkerboard_weight]: stripes, which resizing leaves, cost.
    checkerboard_weight: CheckerboardWeight = 0.0


A = TypeVar("A", bound=AdversarialRecipe)


class AdversarialTrainer(Trainer[A]):
    """Two sides, each with its optimisers.

    A subclass makes the method with :meth:`build`, its opponents with :meth:`opponent` and an
    optimiser for each side with :meth:`optimizer`. Its step runs networks inside :meth:`autocast`,
    updates the generators with the opponents :func:`frozen`, then the opponents on results that
    are detached.
    """

    def opponent(self, network: N, name: str) -> N:
        """Put a discriminator on the device; it is saved and resumed, and never published.

        Where the recipe starts from a run, it goes on from that run's; raises CheckpointError when
        that one does not fit.
        """
        folder = self.recipe.start_from
        if folder and (folder / STATE).is_file():
            try:
                network.load_state_dict(read_state(folder / STATE)["shared"][name])
            except (LookupError, RuntimeError) as error:
                raise CheckpointError(
                    "Training cannot start from {folder}: its {name} does not fit ({reason}). Give "
                    "{checkpoint} to start with other discriminators.",
                    folder=folder,
                    name=name,
                    reason=error,
                    checkpoint=folder / CHECKPOINT,
                ) from error
        network = network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.shared[name] = network
        return network

    def optimizer(
        self,
        networks: Iterable[nn.Module],
        name: str,
        *,
        which: Optimizer = "adam",
        rate: float = 1.0,
        weight_decay: float | None = None,
        clip: float = 0.0,
    ) -> Any:
        """Adam over all parameters of ``networks``, or Muon, which takes the recipe's rate alone.

        Args:
            networks: Modules; a parameter that two of them share counts once.
            name: Tells the optimisers of a run apart.
            which: Of the two; for Muon what follows has no meaning.
            rate: Multiple of the recipe's rate.
            weight_decay: Else the recipe's.
            clip: Largest norm of these gradients; 0 leaves it to the recipe.
        """
        recipe = self.recipe
        if which == "muon":
            return self.muon(nn.ModuleList(networks), name)
        parameters = list(dict.fromkeys(p for network in networks for p in network.parameters()))
        return self.adam(
            [{"params": parameters, "share": rate, "clip": clip}],
            name,
            betas=(recipe.beta1, recipe.beta2),
            weight_decay=recipe.weight_decay if weight_decay is None else weight_decay,
        )

    def autocast(self) -> AbstractContextManager[Any]:
        """Run networks in the recipe's precision; take losses of float32 (``.float()``)."""
        return self.accelerator.autocast()

    def apply(self, optimizer: Any) -> None:
        """Step on the mean of the processes' gradients."""
        if self.accelerator.num_processes > 1:
            parameters = (p for group in optimizer.param_groups for p in group["params"])
            gradients = [p.grad for p in parameters if p.grad is not None]
            flat = torch.cat([gradient.flatten() for gradient in gradients])
            flat = self.accelerator.reduce(flat, "mean")
            pieces = flat.split([gradient.numel() for gradient in gradients])
            for gradient, piece in zip(gradients, pieces, strict=True):
                gradient.copy_(piece.view_as(gradient))
        for group in optimizer.param_groups:
            if group.get("clip"):
                self.accelerator.clip_grad_norm_(group["params"], group["clip"])
        super().apply(optimizer)

    def telling(self, judge: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        """How far ``judge`` is from telling ``real`` from detached ``fake``, ``(·, 3, s, s)``."""
        with self.autocast():
            scores = scales_of(judge(torch.cat([real, fake])))
        split = [score.split([len(real), len(fake)]) for score in scores]
        true, false = zip(*split, strict=True)
        return discriminator_loss(true, false, self.recipe.objective)

    def random(self, purpose: str) -> list[np.random.Generator]:
        """A source of randomness for each picture of this step's batch."""
        recipe, accelerator = self.recipe, self.accelerator
        place = self.done * accelerator.num_processes + accelerator.process_index
        first = place * recipe.batch_size
        return [
            np.random.default_rng((recipe.seed, crc32(purpose.encode()), first + i))
            for i in range(recipe.batch_size)
        ]

    def once(self, purpose: str) -> np.random.Generator:
        """A source of randomness for this step as a whole, alike in all processes."""
        return np.random.default_rng((self.recipe.seed, crc32(purpose.encode()), self.done))

    def normal(self, purpose: str, *shape: int) -> Tensor:
        """Standard normal numbers ``(B, *shape)`` for this step, float32 on the device."""
        drawn = [random.standard_normal(shape, np.float32) for random in self.random(purpose)]
        return torch.from_numpy(np.stack(drawn)).to(self.device)

    def uniform(self, purpose: str, *shape: int) -> Tensor:
        """Uniform numbers in [0, 1), ``(B, *shape)`` for this step, float32 on the device."""
        drawn = [random.random(shape, np.float32) for random in self.random(purpose)]
        return torch.from_numpy(np.stack(drawn)).to(self.device)

    def stops(self, purpose: str, most: float) -> Tensor:
        """By how many stops to expose each picture of this step, at most ``most``: ``(B,)``."""
        return most * (2 * self.uniform(purpose) - 1)

    def pool(self, name: str, size: int) -> "ImagePool":
        """A pool of ``size`` pictures, those of all processes together; it is saved and resumed."""
        pictures = self.recipe.batch_size * self.accelerator.num_processes
        made = ImagePool(-(-size // pictures))
        self.keep(local=True, **{name: made})
        return made


T = TypeVar("T", bound=TranslationRecipe)


class TranslationTrainer(AdversarialTrainer[T]):
    """Adversarial training between two unpaired domains.

    Attributes:
        a: Stream of the first kind of pictures.
        b: Stream of the second kind.
    """

    def __init__(self, recipe: T, run: Run) -> None:
        super().__init__(recipe, run)
        self.a = self.stream(recipe.domain_a, "domain_a")
        self.b = self.stream(recipe.domain_b, "domain_b")

    def face(self, judge_a: nn.Module, judge_b: nn.Module, pool: int) -> None:
        """Set the method against a discriminator for each kind, with an optimiser for each side.

        Discriminators are shown up to ``pool`` earlier results of each kind again.
        """
        recipe = self.recipe
        for judge in (judge_a, judge_b):
            initialise(judge)
            if recipe.spectral:
                spectral(judge)
        self.judge_a = self.opponent(judge_a, "judge_a")
        self.judge_b = self.opponent(judge_b, "judge_b")
        self.forgers = self.optimizer([self.method], "forgers", which=recipe.optimizer)
        self.judges = self.optimizer([judge_a, judge_b], "judges", rate=recipe.discriminator_rate)
        self.pool_a, self.pool_b = (self.pool(name, pool) for name in ("pool_a", "pool_b"))

    def reals(self, extra: int) -> list[Tensor]:
        """Pictures of each kind in [-1, 1]: this step's batch, then ``extra`` further ones."""
        kinds = []
        for stream in (self.a, self.b):
            places = range(FURTHER + extra * self.done, FURTHER + extra * (self.done + 1))
            further = [self.to_device(stream.batch(place)) for place in places]
            kinds.append(2 * torch.cat([self.batch(stream), *further]) - 1)
        return kinds

    def shown(self, fakes: Sequence[Tensor], extra: int) -> list[Tensor]:
        """What discriminators see of each kind: results from the pools, then earlier ones."""
        kinds = []
        for name, pool, fake in zip(
            ("pool_a", "pool_b"), (self.pool_a, self.pool_b), fakes, strict=True
        ):
            shown = pool(fake.detach(), self.random(name))
            earlier = pool.earlier(self.random(f"{name}_earlier"), extra) if extra else []
            kinds.append(torch.cat([shown, *earlier]))
        return kinds

    def teach_judges(
        self, reals: Sequence[Tensor], fakes: Sequence[Tensor], share: float = 1.0
    ) -> Tensor:
        """Update both discriminators.

        Args:
            reals: Pictures of each kind in [-1, 1], ``(·, 3, s, s)``.
            fakes: What is to be told from them, likewise, detached; not always as many.
            share: Weight of their loss.

        Returns:
            Their loss before the update, for both together.
        """
        telling = torch.zeros((), device=self.device)
        for judge, real, fake in zip((self.judge_a, self.judge_b), reals, fakes, strict=True):
            telling = telling + self.telling(judge, real, fake)
        telling = share * telling
        self.update(telling, self.judges)
        return telling


def exposed(images: Tensor, stops: Tensor) -> Tensor:
    """Expose ``(B, 3, H, W)`` in [-1, 1] by ``stops`` ``(B,)`` more; negative is darker.

    In linear light, where a stop is a factor of 2. Highlights are rolled off instead of cut, so
    that nothing is lost that a network could not bring back.
    """
    light = (0.5 + 0.5 * images).clamp(0, 1).pow(2.2)
    factor = torch.exp2(stops).view(-1, 1, 1, 1)
    # Maps 0 to 0 and 1 to 1 with the slope `factor` (or its inverse at the other end).
    more = factor * light / (1 + (factor - 1) * light)
    return 2 * more.clamp(0, 1).pow(1 / 2.2) - 1


def begin_with_photo(decoders: Iterable[nn.Module]) -> None:
    """Let decoders that change a picture start with next to no change; call it last."""
    for decoder in decoders:
        last = cast(nn.Conv2d, decoder.last)
        nn.init.normal_(last.weight, 0, 1e-3)
        if last.bias is not None:
            nn.init.zeros_(last.bias)


class ImagePool:
    """Earlier results that a discriminator is shown again, so that it does not forget them.

    Shrivastava et al. (arXiv:1612.07828), as CycleGAN has it: until it is full, every result is
    kept and given back; then one in two changes places with an earlier one.

    Every place of the batch has a pool of its own. For a batch of one that is the published pool;
    for more it holds as many pictures of the same ages, and several processes then do exactly what
    one would.

    Args:
        capacity: Pictures for each place of the batch; 0 gives every result back as it is.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.kept: Tensor | None = None  # (B, capacity, 3, H, W)
        self.filled = 0

    def __call__(self, images: Tensor, random: Sequence[np.random.Generator]) -> Tensor:
        """Trade results for what the discriminator shall see.

        Args:
            images: Detached, ``(B, 3, H, W)``, of the same shape each time.
            random: For each picture, from :meth:`AdversarialTrainer.random`.

        Returns:
            ``(B, 3, H, W)``, never a view into the pool.
        """
        if not self.capacity:
            return images
        if self.kept is None:
            batch, *shape = images.shape
            self.kept = images.new_zeros(batch, self.capacity, *shape)
        self.kept = self.kept.to(images.device)
        if self.filled < self.capacity:
            self.kept[:, self.filled] = images
            self.filled += 1
            return images
        shown = images.clone()
        for place, source in enumerate(random):
            if source.random() < 0.5:
                chosen = int(source.integers(self.capacity))
                shown[place] = self.kept[place, chosen]
                self.kept[place, chosen] = images[place]
        return shown

    def earlier(self, random: Sequence[np.random.Generator], count: int) -> list[Tensor]:
        """``count`` batches ``(B, 3, H, W)`` of kept results, drawn for each place on its own."""
        if self.kept is None or not self.filled:
            return []
        chosen = [source.integers(self.filled, size=count) for source in random]
        return [
            torch.stack([self.kept[place, row[number]] for place, row in enumerate(chosen)])
            for number in range(count)
        ]

    def state_dict(self) -> dict[str, Any]:
        """All pictures and their number."""
        return {"kept": self.kept, "filled": self.filled}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what :meth:`state_dict` gave."""
        self.kept, self.filled = state["kept"], state["filled"]


@contextmanager
def frozen(*networks: nn.Module) -> Iterator[None]:
    """Spare the gradients of ``networks``; those of their inputs are still computed."""
    for network in networks:
        network.requires_grad_(False)
    try:
        yield
    finally:
        for network in networks:
            network.requires_grad_(True)


class _MeanOfProcesses(torch.autograd.Function):
    """The mean over all processes, forth and back.

    Back it is the mean of what each process's loss wants, since the loss of a step is the mean of
    theirs and :meth:`AdversarialTrainer.apply` takes the mean of what they give the parameters.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return _average(values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _average(gradient)


def _average(values: Tensor) -> Tensor:
    values = values.contiguous().clone()
    distributed.all_reduce(values)
    return values / distributed.get_world_size()


def mean_of_processes(values: Tensor) -> Tensor:
    """The mean of a tensor over all processes, differentiable; itself where there is but one."""
    if not distributed.is_initialized():
        return values
    return _MeanOfProcesses.apply(values)


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch normalisation by the batches of all processes; torch's own does so on GPUs only."""

    def forward(self, features: Tensor) -> Tensor:
        """Map ``(B, C, H, W)``."""
        if not self.training or not distributed.is_initialized():
            return super().forward(features)
        found = features.float()
        moments = torch.stack([found.mean((0, 2, 3)), found.square().mean((0, 2, 3))])
        mean, power = mean_of_processes(moments)
        variance = power - mean.square()
        count = features.numel() / features.shape[1] * distributed.get_world_size()
        with torch.no_grad():
            assert self.running_mean is not None  # noqa: S101 for the type checker
            assert self.running_var is not None  # noqa: S101
            assert self.num_batches_tracked is not None  # noqa: S101
            momentum = self.momentum or 0.0
            self.running_mean.lerp_(mean.detach(), momentum)
            self.running_var.lerp_(variance.detach() * count / (count - 1), momentum)
            self.num_batches_tracked += 1
        scale = self.weight * (variance + self.eps).rsqrt()
        shift = self.bias - mean * scale
        return (found * scale[:, None, None] + shift[:, None, None]).to(features.dtype)


def share_batches(network: nn.Module) -> None:
    """Let the batch normalisations of ``network`` see the batches of all processes."""
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = SharedBatchNorm


def generator_loss(scores: Tensor | Sequence[Tensor], objective: Objective) -> Tensor:
    """How far results are from passing for real, a sum over the scales of ``scores``.

    Args:
        scores: What a discriminator says of results, without sigmoid; one map for each scale.
        objective: Least squares to 1, the mean score, or the entropy that does not saturate.
    """
    if objective == "lsgan":
        terms = [(found.float() - 1).square().mean() for found in scales_of(scores)]
    elif objective == "hinge":
        terms = [-found.float().mean() for found in scales_of(scores)]
    else:
        terms = [F.softplus(-found.float()).mean() for found in scales_of(scores)]
    return torch.stack(terms).sum()


def discriminator_loss(
    real: Tensor | Sequence[Tensor],
    fake: Tensor | Sequence[Tensor],
    objective: Objective,
    *,
    smooth: float = 1.0,
) -> Tensor:
    """How far a discriminator is from telling real pictures from results, a sum over the scales.

    Args:
        real: Scores of real pictures, without sigmoid; one map for each scale.
        fake: Scores of detached results.
        objective: As in :func:`generator_loss`.
        smooth: What real pictures are to score, with least squares and entropy; 0.9 keeps a
            discriminator from certainty.
    """
    terms = []
    for true, false in zip(scales_of(real), scales_of(fake), strict=True):
        true, false = true.float(), false.float()
        if objective == "lsgan":
            terms.append((true - smooth).square().mean() + false.square().mean())
        elif objective == "hinge":
            terms.append(F.relu(1 - true).mean() + F.relu(1 + false).mean())
        else:
            wanted = torch.full_like(true, smooth)
            entropy = F.binary_cross_entropy_with_logits(true, wanted)
            terms.append(entropy + F.softplus(false).mean())
    return torch.stack(terms).sum()


def flattened(scores: Tensor | Sequence[Tensor]) -> Tensor:
    """All scores of a picture, of all scales: ``(B, n)``."""
    return torch.cat([found.flatten(1) for found in scales_of(scores)], 1)


def scales_of(scores: Tensor | Sequence[Tensor]) -> Sequence[Tensor]:
    """What a discriminator says: one map for each scale, or the one it has."""
    return [scores] if isinstance(scores, Tensor) else scores
