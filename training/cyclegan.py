"""Train CycleGAN on two folders of pictures that are not paired.

python -m training.cyclegan --domain-a DIR --domain-b DIR --name-a painting --name-b photo
    --out runs/cyclegan
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Annotated, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from training import faults
from training.adversarial import (
    Exposure,
    JudgeExtra,
    PoolSize,
    TranslationRecipe,
    TranslationTrainer,
    begin_with_photo,
    exposed,
    frozen,
    generator_loss,
)
from training.cli import main
from training.discriminators import judge_for, patches
from training.losses import stripes
from training.recipe import Run
from zoo.card import Metric
from zoo.method import Direction
from zoo.methods.cyclegan import CycleGAN, CycleGANConfig
from zoo.nn.translation import Norm, Residual, initialise

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class CycleGANRecipe(TranslationRecipe):
    """Train CycleGAN: there and back between two kinds of picture (section 4 of arXiv:1703.10593).

    The steps are 200 epochs of a thousand pictures, the rate falling over the second half.
    """

    steps: Annotated[int, Field(ge=1, le=10**8, description="Optimiser steps.")] = 200_000
    blocks: Annotated[
        int, Field(ge=1, le=32, description="Residual blocks; 9 for 256 pixels, 6 for 128.")
    ] = 9
    published: Annotated[
        bool, Field(description="The network as published, with its frame and checkerboard.")
    ] = False
    skip: Annotated[
        bool,
        Field(description="Generators add a change to the picture; for kinds that share shapes."),
    ] = False
    pool: PoolSize = 50
    norm: Annotated[
        Norm, Field(description="Of the generators' layers; none for changes of light and colour.")
    ] = "instance"
    judge_extra: JudgeExtra = 0
    discriminator_width: Annotated[
        int, Field(ge=1, le=512, description="Channels of the discriminators' first layer.")
    ] = 64
    cycle_weight: Annotated[
        float, Field(ge=0, le=1e6, description="Weight of coming back to where one began.")
    ] = 10.0
    identity_weight: Annotated[
        float,
        Field(
            ge=0,
            le=1e6,
            description="Weight of leaving alone what is of the wanted kind, times cycle_weight.",
        ),
    ] = 0.5
    gain: Annotated[
        float, Field(gt=0, le=1, description="Deviation of the generators' fresh weights.")
    ] = 0.02
    exposure: Exposure = 0.0


class CycleGANTrainer(TranslationTrainer[CycleGANRecipe]):
    """Least squares, a cycle each way, and identity; both generators in one update."""

    def __init__(self, recipe: CycleGANRecipe, run: Run) -> None:
        super().__init__(recipe, run)
        config = CycleGANConfig(
            width=recipe.width,
            blocks=recipe.blocks,
            domains=(recipe.name_a, recipe.name_b),
            skip=recipe.skip,
            norm=recipe.norm,
            published=recipe.published,
        )
        method = CycleGAN(config)
        if recipe.norm == "none":
            # Differs from the paper [norm=none]: generators have no norms. Then nothing but the
            # weights keeps the signal's size, and blocks add to it: they begin with nothing (Zhang,
            # Dauphin & Ma, Fixup Initialization, arXiv:1901.09321).
            initialise(method, "kaiming")
            for block in method.modules():
                if isinstance(block, Residual):
                    last = cast(nn.Sequential, block.body[-1])
                    nn.init.zeros_(cast(nn.Conv2d, last[0]).weight)
        else:
            initialise(method, deviation=recipe.gain)
        if recipe.skip:
            begin_with_photo(method.generators.values())
        self.build(method)
        self.a_to_b, self.b_to_a = (method.generators[way] for way in ("AtoB", "BtoA"))
        self.face(self.judge(), self.judge(), recipe.pool)

    def judge(self) -> nn.Module:
        """A fresh discriminator."""
        return judge_for(self, lambda: patches(self.recipe.discriminator_width))

    def step(self) -> dict[str, Tensor]:
        """Update both generators, then both discriminators."""
        recipe = self.recipe
        reals = self.reals(recipe.judge_extra)
        if self.done < recipe.judge_warmup:
            with torch.no_grad(), self.autocast():
                fakes = self.b_to_a(reals[1]), self.a_to_b(reals[0])
            return {"discriminators": self.teach_judges(reals, fakes, 0.5)}
        real_a, real_b = (real[: recipe.batch_size] for real in reals)
        seen_a, seen_b = self.seen(real_a, "exposure_a"), self.seen(real_b, "exposure_b")
        with frozen(self.judge_a, self.judge_b):
            with self.autocast():
                # One pass for two purposes: instance normalisation keeps pictures apart.
                both_b = self.a_to_b(torch.cat([seen_a, real_b]))
                both_a = self.b_to_a(torch.cat([seen_b, real_a]))
                (fake_b, same_b), (fake_a, same_a) = both_b.chunk(2), both_a.chunk(2)
                back_a, back_b = self.b_to_a(fake_b), self.a_to_b(fake_a)
                judged = self.judge_a(fake_a), self.judge_b(fake_b)
            fooling = sum(
                (generator_loss(j, recipe.objective) for j in judged), real_a.new_zeros(())
            )
            cycle = F.l1_loss(back_a, real_a) + F.l1_loss(back_b, real_b)
            identity = F.l1_loss(same_a, real_a) + F.l1_loss(same_b, real_b)
            total = fooling + recipe.cycle_weight * (cycle + recipe.identity_weight * identity)
            losses = {"adversarial": fooling, "cycle": cycle, "identity": identity}
            if recipe.checkerboard_weight:
                losses["checkerboard"] = stripes(torch.cat([fake_a, fake_b]))
                total = total + recipe.checkerboard_weight * losses["checkerboard"]
            self.update(total, self.forgers)
        # Half of it, so that they learn at half the generators' pace, as in the paper.
        # Differs from the paper [judge_extra]: discriminators see more pictures than one.
        telling = self.teach_judges(reals, self.shown((fake_a, fake_b), recipe.judge_extra), 0.5)
        return {"total": total, **losses, "discriminators": telling}

    def seen(self, images: Tensor, purpose: str) -> Tensor:
        """Inputs of the generators: ``(B, 3, s, s)`` in [-1, 1], exposed at random if asked for.

        Differs from the paper [exposure]: inputs are made lighter or darker at random; dark photos
        otherwise end as dark results. The way back leads to the picture as it was, so nothing needs
        to be hidden in the result to tell how dark it had been.
        """
        if not self.recipe.exposure:
            return images
        return exposed(images, self.stops(purpose, self.recipe.exposure))

    def sample(self) -> Tensor:
        """Four pictures of each kind over what becomes of them, and a warning of inverted ones."""
        rows, method = [], self.result
        for stream, direction in ((self.a, "AtoB"), (self.b, "BtoA")):
            pictures = self.examples(stream, self.columns)
            made = method(pictures, direction=direction)
            rows += [pictures, made]
            pairs = zip(pictures.split(1), made.split(1), strict=True)
            likeness = sum(faults.luminance_correlation(m, p) for p, m in pairs) / self.columns
            if likeness < 0:
                log.warning(
                    "step %d, %s: light and dark have changed places (%.2f). Where that stays, "
                    "start anew with another --seed, a larger --identity-weight or smaller --gain",
                    self.done,
                    direction,
                    likeness,
                )
        return torch.cat(rows)


@torch.no_grad()
def gate(method: CycleGAN, photos: Sequence[Tensor], recipe: CycleGANRecipe) -> list[Metric]:
    """Measure the faults that cycles are known for, each way; for :mod:`training.publish`.

    Args:
        method: Trained.
        photos: ``(1, 3, H, W)`` in [0, 1] each; none, and nothing is measured.
        recipe: What it was trained by.

    Raises:
        CheckpointError: A direction gives negatives, or a checkerboard.
    """
    measured = []
    directions: tuple[Direction, ...] = ("AtoB", "BtoA") if photos else ()
    for direction in directions:
        found = faults_of(method, [faults.fitted(photo) for photo in photos], direction)
        measured += faults.admitted(found, direction, f"{len(photos)} pictures")
    return measured


@torch.no_grad()
def faults_of(method: CycleGAN, photos: Sequence[Tensor], direction: Direction) -> dict[str, float]:
    """Means over ``photos``, each ``(1, 3, H, W)`` with sides that 8 divides."""
    pairs = [(method(photo, direction=direction), photo) for photo in photos]
    return {
        "likeness": mean(faults.luminance_correlation(*pair) for pair in pairs),
        "checkerboard": mean(faults.checkerboard(*pair) for pair in pairs),
    }


if __name__ == "__main__":
    main(CycleGANRecipe, CycleGANTrainer)
