"""Train DRIT on two folders of pictures that are not paired.

python -m training.drit --domain-a DIR --domain-b DIR --name-a summer --name-b winter
    --out runs/drit

The defaults are the paper's, with the discriminators bounded and the codes of pictures matched to
the prior; `--no-spectral --prior-weight 0 --published` is what the published code does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from training.adversarial import (
    Objective,
    begin_with_photo,
    discriminator_loss,
    frozen,
    generator_loss,
)
from training.cli import main
from training.codes import CodedRecipe, CodedTrainer, l1, mode_seeking
from training.codes import gate as gate  # for training.publish
from training.discriminators import MultiScale, judge_for
from training.losses import stripes
from training.recipe import Run
from zoo.methods.drit import DRIT, Domain, DRITConfig, Mode
from zoo.nn.translation import Norm, block, initialise, spectral


@dataclass(frozen=True, kw_only=True)
class DRITRecipe(CodedRecipe):
    """Train DRIT: shared contents, and a code for the rest (arXiv:1808.00948).

    A step is three of the paper's iterations: two train the discriminator of contents alone, each
    on a batch of its own, the third trains everything. The steps are its limit of 500 000
    iterations, the rate falling over the second half.
    """

    steps: Annotated[int, Field(ge=1, le=10**8, description="Optimiser steps.")] = 166_667
    batch_size: Annotated[
        int,
        Field(
            ge=2,
            le=4096,
            description="Pictures a step, for each process; half are translated, the others shown "
            "to the discriminators of drawn translations.",
        ),
    ] = 2
    size: Annotated[
        int, Field(ge=16, le=2048, description="Side of the training crop in pixels.")
    ] = 216
    objective: Annotated[
        Objective, Field(description="What the sides play for: least squares, hinge or entropy.")
    ] = "bce"
    spectral: Annotated[
        bool, Field(description="Bound the discriminators by spectral normalisation.")
    ] = True
    mode: Annotated[
        Mode, Field(description="How codes enter: concat keeps shapes, feature may change them.")
    ] = "concat"
    discriminator_norm: Annotated[
        Norm, Field(description="Normalisation in all discriminators.")
    ] = "none"
    content_rate: Annotated[
        float,
        Field(gt=0, le=100, description="Rate of the discriminator of contents as a multiple."),
    ] = 0.4
    content_clip: Annotated[
        float, Field(ge=0, le=1e6, description="Largest norm of its gradient; 0 does not clip.")
    ] = 5.0
    content_weight: Annotated[
        float, Field(ge=0, le=1e6, description="Weight of contents telling no kind of picture.")
    ] = 1.0
    latent_weight: Annotated[
        float,
        Field(ge=0, le=1e6, description="Weight of finding the drawn code in the translation."),
    ] = 10.0
    shrink_weight: Annotated[
        float,
        Field(ge=0, le=1e6, description="Weight of contents and codes being small or normal."),
    ] = 0.01


def content_judge(width: int, size: int, norm: Norm = "none") -> nn.Sequential:
    """Tell from contents which kind of picture they are of.

    Differs from the paper: the published network has three layers of stride 2 and needs crops of
    216 pixels. For smaller ones it has as many of them as leave 3 pixels a side, and the last
    kernel is no larger than what is left; 128 pixels keep two layers, 64 one.

    Args:
        width: Channels of the contents and of all layers.
        size: Side of the training crop in pixels.
        norm: Of the layers of stride 2.

    Returns:
        Layers that map ``(B, width, size / 4, size / 4)`` to scores ``(B, 1, h, w)``, without
        sigmoid.
    """
    rows: list[nn.Module] = []
    side = size // 4
    while len(rows) < 3 and (after := (side + 2 - 7) // 2 + 1) >= 3:
        rows.append(block(width, width, 7, 2, padding=1, norm=norm, activation="leaky", slope=0.01))
        side = after
    last = block(width, width, min(4, side), padding=0, norm="none", activation="leaky", slope=0.01)
    return nn.Sequential(*rows, last, nn.Conv2d(width, 1, 1))


class DRITTrainer(CodedTrainer[DRITRecipe]):
    """Cross-cycle consistency, five discriminators, and regression of drawn codes.

    Differs from the paper: the two losses of the generators, of which the second leaves the
    attribute encoders alone, are added and make one update. The published code steps on the first
    and then differentiates the second through weights that have changed, which current PyTorch
    rightly refuses.
    """

    def __init__(self, recipe: DRITRecipe, run: Run) -> None:
        super().__init__(recipe, run)
        config = DRITConfig(
            width=recipe.width,
            mode=recipe.mode,
            domains=(recipe.name_a, recipe.name_b),
            skip=recipe.skip,
            published=recipe.published,
        )
        method = DRIT(config)
        initialise(method)
        if recipe.skip:
            begin_with_photo(
                cast(nn.Module, domain.generator) for domain in method.networks.values()
            )
        self.net = self.build(method)
        self.attribute_encoders = [
            cast(nn.Module, domain.attribute_encoder) for domain in method.networks.values()
        ]
        names = ("judge_a", "judge_b", "judge_random_a", "judge_random_b")
        made = {name: self.judge() for name in names}
        of_content = content_judge(4 * recipe.width, recipe.size, recipe.discriminator_norm)
        for judge in (*made.values(), of_content):
            initialise(judge)
            if recipe.spectral:
                spectral(judge)
        self.judges = {name: self.opponent(judge, name) for name, judge in made.items()}
        self.content_judge = self.opponent(of_content, "content_judge")
        self.forgers = self.optimizer([method], "forgers", which=recipe.optimizer)
        self.tellers = self.optimizer(
            self.judges.values(), "tellers", rate=recipe.discriminator_rate
        )
        self.content_teller = self.optimizer(
            [of_content], "content_teller", rate=recipe.content_rate, clip=recipe.content_clip
        )
        self.prior_a, self.prior_b = self.priors(method.code_size)

    def judge(self) -> nn.Module:
        """A fresh discriminator of pictures."""
        recipe = self.recipe
        return judge_for(
            self,
            lambda: MultiScale(
                recipe.discriminator_width,
                recipe.discriminator_scales,
                norm=recipe.discriminator_norm,
                slope=0.01,
            ),
        )

    def learn(self) -> dict[str, Tensor]:
        """Teach the discriminator of contents on two batches, then everything on a third."""
        for number in range(2):
            images_a, images_b = (images[1::2] for images in self.pictures(number))
            with torch.no_grad(), self.autocast():
                content_a = self.encode_content(images_a, "A", f"alone_a{number}")
                content_b = self.encode_content(images_b, "B", f"alone_b{number}")
            self.teach_content(content_a, content_b)
        reals = self.pictures(2)
        if self.done < self.recipe.judge_warmup:
            return {"discriminators": self.tell(*reals, self.first_fakes(*reals))}
        return self.teach_all(*reals)

    @torch.no_grad()
    def first_fakes(self, real_a: Tensor, real_b: Tensor) -> list[Tensor]:
        """What is made of a batch while the discriminators alone learn; in their order."""
        real = {"A": real_a[1::2], "B": real_b[1::2]}
        drawn = self.normal("drawn", self.net.code_size)[1::2]
        fakes = []
        with self.autocast():
            for here, there in ("AB", "BA"):
                content = self.encode_content(real[there], there, f"content_{there}")
                code, _ = self.encode_attribute(real[here], here, f"code_{here}")
                wanted = [(content, each, real[there]) for each in (code, drawn)]
                fakes.append(self.decode(here, wanted))
        return [fake for pair in zip(*fakes, strict=True) for fake in pair]

    def pictures(self, number: int) -> tuple[Tensor, Tensor]:
        """A batch of each kind in [-1, 1]; ``number`` is 0, 1 or 2, its place in the step."""
        at = 3 * self.done + number
        return 2 * self.to_device(self.a(at)) - 1, 2 * self.to_device(self.b(at)) - 1

    def teach_content(self, content_a: Tensor, content_b: Tensor) -> Tensor:
        """Update the discriminator of contents; both detached."""
        with self.autocast():
            scores_a, scores_b = self.content_judge(content_a), self.content_judge(content_b)
        telling = discriminator_loss(scores_b, scores_a, "bce")
        self.update(telling, self.content_teller)
        return telling

    def teach_all(self, real_a: Tensor, real_b: Tensor) -> dict[str, Tensor]:
        """Update all discriminators, then encoders and generators, on one forward pass.

        Every second picture is translated, and the others are real ones to compare with. Their
        places alternate so that the batches of several processes make the same larger one.
        """
        recipe, net = self.recipe, self.net
        images_a, images_b = real_a[1::2], real_b[1::2]
        codes = [self.normal("drawn", net.code_size)[1::2]]
        if recipe.mode_seeking_weight:
            codes.append(self.normal("other", net.code_size)[1::2])
        with self.autocast():
            content_a = self.encode_content(images_a, "A", "content_a")
            content_b = self.encode_content(images_b, "B", "content_b")
            code_a, large_a = self.encode_attribute(images_a, "A", "code_a")
            code_b, large_b = self.encode_attribute(images_b, "B", "code_b")
            fake_a, *made_a = self.decode(
                "A",
                [
                    (content_b, code_a, images_b),
                    *((content_b, code, images_b) for code in codes),
                    *self.own(content_a, code_a, images_a),
                ],
            )
            fake_b, *made_b = self.decode(
                "B",
                [
                    (content_a, code_b, images_a),
                    *((content_a, code, images_a) for code in codes),
                    *self.own(content_b, code_b, images_b),
                ],
            )
            random_a, same_a = made_a[: len(codes)], made_a[len(codes) :]
            random_b, same_b = made_b[: len(codes)], made_b[len(codes) :]
            again_b = self.encode_content(fake_a, "A", "again_b")
            again_a = self.encode_content(fake_b, "B", "again_a")
            found_a, _ = self.encode_attribute(fake_a, "A", "found_a")
            found_b, _ = self.encode_attribute(fake_b, "B", "found_b")
            (back_a,) = self.decode("A", [(again_a, found_a, fake_b)])
            (back_b,) = self.decode("B", [(again_b, found_b, fake_a)])
            with frozen(*self.attribute_encoders):
                read_a, _ = net.encode_attribute(random_a[0], "A")
                read_b, _ = net.encode_attribute(random_b[0], "B")

        fakes = [fake_a, fake_b, random_a[0], random_b[0]]
        telling = self.tell(real_a, real_b, fakes)
        content_telling = self.teach_content(content_a.detach(), content_b.detach())

        with frozen(*self.judges.values(), self.content_judge):
            with self.autocast():
                pairs = zip(self.judges.values(), fakes, strict=True)
                judged = [judge(fake) for judge, fake in pairs]
                guesses = self.content_judge(content_a), self.content_judge(content_b)
            fooling = torch.stack([generator_loss(j, recipe.objective) for j in judged]).sum()
            large = large_a + large_b + content_a.float().square().mean()
            terms = {
                "adversarial": (1.0, fooling),
                "content": (recipe.content_weight, _undecided(guesses[0]) + _undecided(guesses[1])),
                "cycle": (recipe.cycle_weight, l1(back_a, images_a) + l1(back_b, images_b)),
                "latent": (recipe.latent_weight, l1(read_a, codes[0]) + l1(read_b, codes[0])),
                "size": (recipe.shrink_weight, large + content_b.float().square().mean()),
                "prior": (recipe.prior_weight, self.prior_a(code_a) + self.prior_b(code_b)),
            }
            if same_a:
                same = l1(same_a[0], images_a) + l1(same_b[0], images_b)
                terms["reconstruction"] = recipe.reconstruction_weight, same
            if recipe.mode_seeking_weight:
                alike = mode_seeking(random_a[0], random_a[1], codes[0], codes[1])
                alike = alike + mode_seeking(random_b[0], random_b[1], codes[0], codes[1])
                terms["mode_seeking"] = recipe.mode_seeking_weight, alike
            if recipe.checkerboard_weight:
                terms["checkerboard"] = recipe.checkerboard_weight, stripes(torch.cat(fakes))
            total = torch.stack([weight * loss for weight, loss in terms.values()]).sum()
            self.update(total, self.forgers)
        self.prior_a.update(code_a)
        self.prior_b.update(code_b)
        losses = {name: loss for name, (_, loss) in terms.items()}
        return {
            "total": total,
            **losses,
            "discriminators": telling,
            "content_discriminator": content_telling,
        }

    def tell(self, real_a: Tensor, real_b: Tensor, fakes: Sequence[Tensor]) -> Tensor:
        """Update the discriminators of pictures.

        Args:
            real_a: A batch in [-1, 1], of which one half was translated; the other half is for the
                discriminators of drawn translations.
            real_b: The same of the other kind.
            fakes: What each discriminator is to tell from its half.

        Returns:
            Their loss before the update, for all together.
        """
        reals = real_a[1::2], real_b[1::2], real_a[::2], real_b[::2]
        telling = torch.zeros((), device=self.device)
        for judge, real, fake in zip(self.judges.values(), reals, fakes, strict=True):
            telling = telling + self.telling(judge, real, fake.detach())
        self.update(telling, self.tellers)
        return telling

    def encode_content(self, images: Tensor, domain: str, purpose: str) -> Tensor:
        """Contents with standard normal noise, which keeps them from hiding what is not content."""
        content = self.net.encode_content(images, domain)
        pieces = []
        for source in self.random(purpose)[1::2]:
            generator = torch.Generator(self.device).manual_seed(int(source.integers(2**62)))
            pieces.append(torch.randn(content.shape[1:], generator=generator, device=self.device))
        return content + torch.stack(pieces).to(content.dtype)

    def encode_attribute(self, images: Tensor, domain: str, purpose: str) -> tuple[Tensor, Tensor]:
        """A code ``(B, code_size)`` for each picture, and how far codes are from the prior.

        That is the divergence of the distributions of single codes, a sum over their numbers; or
        where codes are not distributed, their mean square.
        """
        mean, log_variance = self.net.encode_attribute(images, domain)
        mean = mean.float()
        if log_variance is None:
            return mean, mean.square().mean()
        log_variance = log_variance.float()
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()
        drawn = self.normal(purpose, mean.shape[1])[1::2]
        return mean + (0.5 * log_variance).exp() * drawn, divergence

    def last_layer(self, method: DRIT, domain: str) -> nn.Linear:
        """The layer that gives the mean attributes of pictures of ``domain``."""
        return cast(Domain, method.networks[domain]).attribute_encoder.mean


def _undecided(scores: Tensor) -> Tensor:
    scores = scores.float()
    return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, 0.5))


if __name__ == "__main__":
    main(DRITRecipe, DRITTrainer)
