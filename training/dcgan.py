"""Train DCGAN on a folder of pictures, such as portraits.

python -m training.dcgan --portraits DIR --out runs/dcgan
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal, cast

import torch
from PIL import Image
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from training.adversarial import (
    AdversarialRecipe,
    AdversarialTrainer,
    Objective,
    discriminator_loss,
    flattened,
    frozen,
    generator_loss,
    share_batches,
)
from training.cli import main
from training.data import open_pack
from training.discriminators import judge_for, pyramid
from training.faults import diversity, memorisation, nearest
from training.recipe import BatchSize, Cooldown, LoadSize, Run
from zoo import images
from zoo.card import Metric
from zoo.errors import CheckpointError, InputError
from zoo.method import Method
from zoo.methods.dcgan import DCGAN, DCGANConfig
from zoo.nn.translation import initialise, spectral
from zoo.nn.vgg import vgg19

CALIBRATION = 8  # batches of codes that the statistics of a saved generator are measured on


@dataclass(frozen=True, kw_only=True)
class DCGANRecipe(AdversarialRecipe):
    """Train DCGAN (section 4 of arXiv:1511.06434), with what keeps it alive on few pictures.

    The paper's own recipe is --published --objective bce --no-spectral --augment none
    --average 0.
    """

    portraits: Annotated[Path, Field(description="Folder of pictures, or a pack of one.")]
    steps: Annotated[int, Field(ge=1, le=10**8, description="Optimiser steps.")] = 40_000
    batch_size: BatchSize = 64
    size: Annotated[
        int, Field(ge=16, le=1024, description="Side of the pictures in pixels, a power of two.")
    ] = 64
    load_size: LoadSize = 72
    cooldown: Cooldown = 0.0
    objective: Annotated[
        Objective, Field(description="What the sides play for: least squares, hinge or entropy.")
    ] = "hinge"
    spectral: Annotated[
        bool, Field(description="Bound the discriminator by spectral normalisation.")
    ] = True
    discriminator_width: Annotated[
        int, Field(ge=1, le=512, description="Channels of the discriminator's first layer.")
    ] = 64
    published: Annotated[
        bool, Field(description="Both networks as published, with batch normalisation in both.")
    ] = False
    augment: Annotated[
        Literal["none", "gentle", "full"],
        Field(
            description="Show the discriminator all pictures recoloured and shifted, or with holes "
            "as well; in a short schedule the holes are learned."
        ),
    ] = "full"
    smooth: Annotated[
        float, Field(gt=0, le=1, description="What real pictures are to score, unless by hinge.")
    ] = 1.0
    penalty: Annotated[
        float, Field(ge=0, le=1e4, description="Weight of the slope at real pictures (R1).")
    ] = 0.0
    noise: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Deviation of noise over all that the discriminator sees; it fades in the "
            "first half of the steps.",
        ),
    ] = 0.0


class DCGANTrainer(AdversarialTrainer[DCGANRecipe]):
    """The discriminator first, then the generator on the same codes.

    Differs from the paper [augment]: the discriminator sees augmented pictures only
    (arXiv:2006.10738), without which it knows a few thousand pictures by heart.
    """

    columns: ClassVar[int] = 8

    def __init__(self, recipe: DCGANRecipe, run: Run) -> None:
        super().__init__(recipe, run)
        if recipe.size & (recipe.size - 1):
            raise InputError("Size: {size} is not a power of two; try 64 or 128.", size=recipe.size)
        self.portraits = self.stream(recipe.portraits, "portraits")
        method = DCGAN(
            DCGANConfig(width=recipe.width, size=recipe.size, published=recipe.published)
        )
        initialise(method, scales="normal")
        self.generator = self.build(method).generator
        # Differs from the paper [judged=pixels]: unless ``published`` is set, the discriminator has
        # no batch normalisation, and is told the deviation of the batch.
        judge = judge_for(
            self, lambda: pyramid(recipe.size, recipe.discriminator_width, recipe.published)
        )
        initialise(judge, scales="normal")
        if recipe.spectral:
            spectral(judge)
        self.judge = self.opponent(judge, "judge")
        share_batches(method)
        share_batches(judge)
        self.forger = self.optimizer([method], "forger", which=recipe.optimizer)
        self.teller = self.optimizer([judge], "teller", rate=recipe.discriminator_rate)

    def step(self) -> dict[str, Tensor]:
        """Update the discriminator, then the generator."""
        recipe = self.recipe
        real = 2 * self.batch(self.portraits) - 1
        codes = self.normal("codes", self.method.config.code_size)
        real.requires_grad_(recipe.penalty > 0)
        with self.autocast():
            fake = self.generator(codes)
            true = self.judge(self.shown(real, "real"))
            false = self.judge(self.shown(fake.detach(), "fake"))
        telling = discriminator_loss(true, false, recipe.objective, smooth=recipe.smooth)
        losses = {"discriminator": telling}
        if recipe.penalty:
            losses["slope"] = slope(flattened(true), real)
            telling = telling + recipe.penalty / 2 * losses["slope"]
        self.update(telling, self.teller)
        with frozen(self.judge), self.autocast():
            fooling = generator_loss(self.judge(self.shown(fake, "forged")), recipe.objective)
        self.update(fooling, self.forger)
        one, other = flattened(true).float().mean(1), flattened(false).float().mean(1)
        right = 0.5 * ((one > other.mean()).float().mean() + (other < one.mean()).float().mean())
        return losses | {"generator": fooling, "told_apart": right}

    def shown(self, images: Tensor, purpose: str) -> Tensor:
        """What the discriminator sees of ``(B, 3, s, s)`` in [-1, 1]."""
        recipe = self.recipe
        if recipe.augment != "none":
            random = self.uniform(f"augment {purpose}", 7)
            images = augmented(images, random, recipe.augment == "full")
        left = recipe.noise * max(0.0, 1 - 2 * self.done / recipe.steps)
        if left:
            images = images + left * self.normal(f"noise {purpose}", *images.shape[1:])
        return images

    @property
    def result(self) -> Method:
        """The method with averaged weights, and with statistics that go with them."""
        method = super().result
        calibrate(cast(DCGAN, method), CALIBRATION * 64)
        return method

    def sample(self) -> Tensor:
        """The pictures of the first 32 seeds."""
        method = cast(DCGAN, self.result)
        return method.render(None, method.codes(0, 32))


@torch.no_grad()
def calibrate(method: DCGAN, count: int) -> None:
    """Measure the statistics of batch normalisations on ``count`` codes that are always the same.

    Those gathered while training are of weights of the moment and not of their average.
    """
    norms = [m for m in method.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over all batches
        norm.train()
    for codes in method.codes(10**6, count).split(64):
        method.render(None, codes)
    for norm in norms:
        norm.momentum = 0.1
        norm.eval()


def slope(scores: Tensor, images: Tensor) -> Tensor:
    """Mean squared gradient of ``scores`` with respect to ``images`` ``(B, 3, s, s)``.

    The R1 penalty of Mescheder et al. (arXiv:1801.04406) without its weight.
    """
    (gradient,) = torch.autograd.grad(scores.float().sum(), images, create_graph=True)
    return gradient.square().sum((1, 2, 3)).mean()


def augmented(images: Tensor, random: Tensor, holes: bool = True) -> Tensor:
    """Recolour, shift and cut out, as DiffAugment does; gradients pass through.

    Zhao et al., Differentiable Augmentation for Data-Efficient GAN Training (arXiv:2006.10738):
    brightness by up to 0.5, saturation by up to 2, contrast by 0.5 to 1.5, a shift by up to an
    eighth of the side and a hole of half the side. Holes and the space a shift leaves are grey.

    Args:
        images: ``(B, 3, s, s)`` in [-1, 1].
        random: Uniform in [0, 1), ``(B, 7)``.
        holes: Whether to cut out.
    """
    side = images.shape[3]
    brightness, saturation, contrast = random[:, :3, None, None, None].unbind(1)
    images = images + brightness - 0.5
    gray = images.mean(1, keepdim=True)
    images = gray + 2 * saturation * (images - gray)
    mean = images.mean((1, 2, 3), keepdim=True)
    images = mean + (0.5 + contrast) * (images - mean)
    reach = side // 8
    padded = F.pad(images, (reach, reach, reach, reach))
    corners = (random[:, 3:5] * (2 * reach + 1)).long().tolist()
    images = torch.stack(
        [
            picture[:, top : top + side, left : left + side]
            for picture, (top, left) in zip(padded, corners, strict=True)
        ]
    )
    if not holes:
        return images
    pixels = torch.arange(side, device=images.device)
    middle = (random[:, 5:7] * (side + 1)).floor()
    hole = (pixels - middle[:, :, None] + side // 4) // (side // 2) == 0  # (B, 2, s)
    return images * ~(hole[:, 0, :, None] & hole[:, 1, None, :])[:, None]


ALIKE = 0.6  # of the training pictures' own figures: less is collapse, or copying


@torch.no_grad()
def gate(method: DCGAN, photos: Sequence[Tensor], recipe: DCGANRecipe) -> list[Metric]:
    """Measure whether results differ from each other and from the training pictures.

    For :mod:`training.publish`. The training pictures are read where the recipe says.

    Args:
        method: Trained.
        photos: Not looked at.
        recipe: What it was trained by.

    Raises:
        CheckpointError: The results are all alike, or copies.
        InputError: The training pictures are not there any more.
    """
    known = known_to(recipe)
    made, encoder = method(samples=32), vgg19()
    among = diversity(known[:: max(1, len(known) // 32)][:32], encoder)
    found = {
        "Diversity": diversity(made, encoder) / among,
        "Distance from training pictures": memorisation(made, known, encoder),
    }
    measured = []
    for name, value in found.items():
        if value < ALIKE:
            raise CheckpointError(
                "{name} is {value} of that of the training pictures among themselves, and has to "
                "be {least}: the results are all alike, or copies. Train it longer, or with a "
                "smaller network.",
                name=name,
                value=f"{value:.2f}",
                least=ALIKE,
            )
        data = f"32 results, {len(known)} training pictures"
        words = f"{name}, 1 = training pictures among themselves"
        measured.append(
            Metric(name=words, value=round(value, 4), features="VGG-19", data=data, better="higher")
        )
    return measured


def known_to(recipe: DCGANRecipe) -> Tensor:
    """The middle squares of all training pictures, ``(N, 3, size, size)`` in [0, 1]."""
    pack = open_pack(recipe.portraits, recipe.load_size, Run.packs, 2)
    squares = [
        images.to_tensor(middle_square(Image.fromarray(pack.picture(number)), recipe.size))
        for number in range(len(pack))
    ]
    return torch.cat(squares)


def middle_square(picture: Image.Image, size: int) -> Image.Image:
    """The largest square in the middle of ``picture``, ``size`` pixels a side."""
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    return images.resize(picture.crop((left, top, left + side, top + side)), (size, size))


@torch.no_grad()
def neighbours(method: DCGAN, recipe: DCGANRecipe) -> Tensor:
    """Pictures of the first eight seeds, then the training picture that each is nearest to.

    Returns:
        ``(16, 3, size, size)`` in [0, 1].
    """
    made, known = method(samples=8), known_to(recipe)
    _, index = nearest(made, known, vgg19())
    return torch.cat([made, known[index[:, 0]]])


if __name__ == "__main__":
    main(DCGANRecipe, DCGANTrainer)
