"""Train MUNIT on two folders of pictures that are not paired.

python -m training.munit --domain-a DIR --domain-b DIR --name-a summer --name-b winter
    --out runs/munit

The defaults are the paper's, with the codes of pictures matched to the prior; `--prior-weight 0
--published` is the paper's own. What later made it stable on large data (Liu et al.'s code, 2020)
are options: `--objective hinge --spectral --spectral-generators --discriminator-rate 4
--halve-every 0`, with averaged weights, which are on already.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, cast

import torch
from pydantic import Field
from torch import Tensor, nn

from training.adversarial import (
    JudgeExtra,
    PoolSize,
    begin_with_photo,
    frozen,
    generator_loss,
)
from training.cli import main
from training.codes import CodedRecipe, CodedTrainer, l1, mode_seeking
from training.codes import gate as gate  # for training.publish
from training.discriminators import MultiScale, judge_for
from training.losses import stripes
from training.recipe import Cooldown, Run
from zoo.errors import InputError
from zoo.methods.munit import MUNIT, MUNITConfig


@dataclass(frozen=True, kw_only=True)
class MUNITRecipe(CodedRecipe):
    """Train MUNIT: many translations of a picture, each with a code (arXiv:1804.04732)."""

    steps: Annotated[int, Field(ge=1, le=10**8, description="Optimiser steps.")] = 1_000_000
    cooldown: Cooldown = 0.0
    halve_every: Annotated[
        int, Field(ge=0, le=10**8, description="Steps after which the rate halves; 0 never.")
    ] = 100_000
    blocks: Annotated[
        int, Field(ge=1, le=32, description="Residual blocks of encoder and decoder.")
    ] = 4
    judge_extra: JudgeExtra = 0
    pool: PoolSize = 0
    spectral_generators: Annotated[
        bool, Field(description="Bound the generators by spectral normalisation.")
    ] = False
    content_weight: Annotated[
        float, Field(ge=0, le=1e6, description="Weight of finding the content in the translation.")
    ] = 1.0
    style_weight: Annotated[
        float,
        Field(ge=0, le=1e6, description="Weight of finding the drawn style in the translation."),
    ] = 1.0
    guided: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Share of the translations whose style is that of a real picture rather "
            "than drawn, so that discriminators look at those as well.",
        ),
    ] = 0.0


class MUNITTrainer(CodedTrainer[MUNITRecipe]):
    """Two auto-encoders that exchange contents, and a discriminator at three sizes for each kind.

    Differs from the paper: both sides of a step see the same translations. The published loop
    makes other ones for the discriminators first, at a quarter of the time of a step.
    """

    def __init__(self, recipe: MUNITRecipe, run: Run) -> None:
        super().__init__(recipe, run)
        config = MUNITConfig(
            width=recipe.width,
            blocks=recipe.blocks,
            domains=(recipe.name_a, recipe.name_b),
            skip=recipe.skip,
            spectral=recipe.spectral_generators,
            published=recipe.published,
        )
        method = MUNIT(config)
        if recipe.skip:
            begin_with_photo(method.networks.values())
        self.build(method)
        self.net_a, self.net_b = method.domain("A"), method.domain("B")
        self.face(self.judge(), self.judge(), recipe.pool)
        self.prior_a, self.prior_b = self.priors(method.code_size)
        if recipe.codes_last and recipe.spectral_generators:
            raise InputError("Codes last: not with --spectral-generators; leave one out.")

    def judge(self) -> nn.Module:
        """A fresh discriminator."""
        width, scales = self.recipe.discriminator_width, self.recipe.discriminator_scales
        return judge_for(self, lambda: MultiScale(width, scales))

    def learn(self) -> dict[str, Tensor]:
        """Update both auto-encoders, then both discriminators."""
        recipe, a, b = self.recipe, self.net_a, self.net_b
        reals = self.reals(recipe.judge_extra)
        if self.done < recipe.judge_warmup:
            return {"discriminators": self.teach_judges(reals, self.first_fakes(reals))}
        real_a, real_b = (real[: recipe.batch_size] for real in reals)
        size = len(self.prior_a.mean)
        with frozen(self.judge_a, self.judge_b):
            with self.autocast():
                content_a, content_b = a.encode_content(real_a), b.encode_content(real_b)
                style_a, style_b = a.encode_style(real_a).float(), b.encode_style(real_b).float()
                # Differs from the paper [guided]: some translations take the style of a real
                # picture. There all styles are drawn.
                guided = self.uniform("guided", 1) < recipe.guided
                drawn_a = style_a.detach().where(guided, self.normal("style_a", size))
                drawn_b = style_b.detach().where(guided, self.normal("style_b", size))
                fake_a, *same_a = self.decode(
                    "A", [(content_b, drawn_a, real_b), *self.own(content_a, style_a, real_a)]
                )
                fake_b, *same_b = self.decode(
                    "B", [(content_a, drawn_b, real_a), *self.own(content_b, style_b, real_b)]
                )
                found_a, found_b = b.encode_content(fake_b), a.encode_content(fake_a)
                styles = a.encode_style(fake_a), b.encode_style(fake_b)
                judged = self.judge_a(fake_a), self.judge_b(fake_b)
            fooling = generator_loss(judged[0], recipe.objective)
            fooling = fooling + generator_loss(judged[1], recipe.objective)
            terms = {
                "adversarial": (1.0, fooling),
                "content": (
                    recipe.content_weight,
                    l1(found_a, content_a) + l1(found_b, content_b),
                ),
                "style": (recipe.style_weight, l1(styles[0], drawn_a) + l1(styles[1], drawn_b)),
                "prior": (recipe.prior_weight, self.prior_a(style_a) + self.prior_b(style_b)),
            }
            if same_a:
                same = l1(same_a[0], real_a) + l1(same_b[0], real_b)
                terms["reconstruction"] = recipe.reconstruction_weight, same
            if recipe.cycle_weight:
                with self.autocast():
                    (back_a,) = self.decode("A", [(found_a, style_a, fake_b)])
                    (back_b,) = self.decode("B", [(found_b, style_b, fake_a)])
                cycle = l1(back_a, real_a) + l1(back_b, real_b)
                terms["cycle"] = recipe.cycle_weight, cycle
            if recipe.mode_seeking_weight:
                other_a, other_b = self.normal("other_a", size), self.normal("other_b", size)
                with self.autocast():
                    (made_a,) = self.decode("A", [(content_b, other_a, real_b)])
                    (made_b,) = self.decode("B", [(content_a, other_b, real_a)])
                alike = mode_seeking(fake_a, made_a, drawn_a, other_a)
                alike = alike + mode_seeking(fake_b, made_b, drawn_b, other_b)
                terms["mode_seeking"] = recipe.mode_seeking_weight, alike
            if recipe.checkerboard_weight:
                striped = stripes(torch.cat([fake_a, fake_b]))
                terms["checkerboard"] = recipe.checkerboard_weight, striped
            total = torch.stack([weight * loss for weight, loss in terms.values()]).sum()
            self.update(total, self.forgers)
        self.prior_a.update(style_a)
        self.prior_b.update(style_b)
        # Differs from the paper [judge_extra]: discriminators see more pictures than one.
        telling = self.teach_judges(reals, self.shown((fake_a, fake_b), recipe.judge_extra))
        losses = {name: loss for name, (_, loss) in terms.items()}
        return {"total": total, **losses, "discriminators": telling}

    @torch.no_grad()
    def first_fakes(self, reals: Sequence[Tensor]) -> list[Tensor]:
        """What is made of pictures of each kind while the discriminators alone learn."""
        fakes, size = [], len(self.prior_a.mean)
        for here, real, other in ("A", reals[1], self.net_b), ("B", reals[0], self.net_a):
            codes = self.normal(f"first_{here}", len(real) // self.recipe.batch_size, size)
            with self.autocast():
                wanted = other.encode_content(real), codes.flatten(0, 1), real
                fakes += self.decode(here, [wanted])
        return fakes

    def last_layer(self, method: MUNIT, domain: str) -> nn.Conv2d:
        """The convolution that gives the codes of pictures of ``domain``."""
        return cast(nn.Conv2d, method.domain(domain).style_encoder[-2])


if __name__ == "__main__":
    main(MUNITRecipe, MUNITTrainer)
