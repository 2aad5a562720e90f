"""Train AdaIN's decoder on a folder of photos and a folder of paintings.

python -m training.adain --photos DIR --paintings DIR --out runs/adain
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from training.cli import main
from training.loop import Trainer
from training.losses import NormalisedEncoder, statistics_loss, stripes
from training.recipe import CheckerboardWeight, Photos, Recipe, Run
from zoo.methods.adain import LAYER, AdaIN, AdaINConfig, adain
from zoo.nn.vgg import vgg19

LAYERS = ("relu1_1", "relu2_1", "relu3_1", LAYER)


@dataclass(frozen=True, kw_only=True)
class AdaINRecipe(Recipe):
    """Train AdaIN: one decoder for any style (section 6 of arXiv:1703.06868)."""

    photos: Photos
    paintings: Annotated[Path, Field(description="Folder of paintings, or a pack of one.")]
    lr_decay: Annotated[
        float, Field(ge=0, le=1, description="The rate is divided by 1 + this times the step.")
    ] = 5e-5
    style_weight: Annotated[float, Field(ge=0, le=1e6, description="Weight of the style loss.")] = (
        10.0
    )
    pixel_weight: Annotated[
        float,
        Field(ge=0, le=1e6, description="Weight of giving photos back as they are; the paper's 0."),
    ] = 0.0
    checkerboard_weight: CheckerboardWeight = 0.0
    warmup: Annotated[
        int,
        Field(ge=0, le=10**8, description="First steps, in which pictures are only given back."),
    ] = 0


class AdaINTrainer(Trainer[AdaINRecipe]):
    """Content loss against the AdaIN target, style loss on means and deviations."""

    def __init__(self, recipe: AdaINRecipe, run: Run) -> None:
        super().__init__(recipe, run)
        self.photos = self.stream(recipe.photos, "photos")
        self.paintings = self.stream(recipe.paintings, "paintings")
        method = AdaIN(AdaINConfig(width=recipe.width))
        # Not from the batches of the stream: each process would come to a scale of its own.
        self.features = NormalisedEncoder(
            vgg19("caffe", device=self.device, dtype=self.encoder_dtype),
            self.examples(self.photos, 64),
            LAYERS,
        )
        method.scale.copy_(self.features.scale[LAYER])
        self.method = self.build(method)
        # What training starts from may have another one, from other photos: its decoder gets
        # features by that when it is used, and so it does here.
        self.features.scale[LAYER] = self.method.scale
        self.decoder = self.prepare(method.decoder)
        self.optimizer = self.adam_or_muon(method.decoder)

    def step(self) -> dict[str, Tensor]:
        """Update the decoder on one batch of photos, each with a painting."""
        if self.done < self.recipe.warmup:
            return self.give_back()
        if self.done == self.recipe.warmup:
            # Adam's memory of the much smaller gradients of pixels would make a leap of this step.
            self.optimizer.optimizer.state.clear()
        with torch.no_grad():
            photos = self.batch(self.photos)
            content = self.features(photos, [LAYER])[LAYER]
            style, wanted = self.features.measured(self.batch(self.paintings))
            target = adain(content, style)
        given = torch.cat([target, content]) if self.recipe.pixel_weight else target
        made = self.decoder(given)
        output, found = self.features.measured(made[: len(photos)])
        content_loss = F.mse_loss(output, target)
        style_loss = torch.stack(
            [statistics_loss(found[layer], wanted[layer]) for layer in LAYERS]
        ).sum()
        losses = {"content": content_loss, "style": style_loss}
        loss = content_loss + self.recipe.style_weight * style_loss
        if self.recipe.pixel_weight:
            # Differs from the paper [pixel_weight]: a short schedule learns colours and edges
            # sooner when it is told that untouched features are the photo.
            losses["pixels"] = F.l1_loss(made[len(photos) :], photos)
            loss = loss + self.recipe.pixel_weight * losses["pixels"]
        if self.recipe.checkerboard_weight:
            # Differs from the paper [checkerboard_weight]: stripes, which resizing leaves, cost.
            losses["checkerboard"] = stripes(made[: len(photos)])
            loss = loss + self.recipe.checkerboard_weight * losses["checkerboard"]
        self.update(loss, self.optimizer)
        return losses | {"total": loss}

    def give_back(self) -> dict[str, Tensor]:
        """Update the decoder to give photos and paintings back as they are.

        Differs from the paper [warmup]: an inverse of the encoder is learned from pixels several
        times faster than through the encoder, and makes a better start.
        """
        pictures = torch.cat([self.batch(self.photos), self.batch(self.paintings)])
        with torch.no_grad():
            features = self.features(pictures, [LAYER])[LAYER]
        loss = F.l1_loss(self.decoder(features), pictures)
        self.update(loss, self.optimizer)
        return {"pixels": loss}

    def sample(self) -> Tensor:
        """Four photos in the manner of three paintings, under the photos themselves."""
        photos, method = self.examples(self.photos, self.columns), self.result
        rows = [photos]
        for painting in self.examples(self.paintings, 3):
            rows.append(torch.cat([method(photo[None], painting[None]) for photo in photos]))
        return torch.cat(rows)


if __name__ == "__main__":
    main(AdaINRecipe, AdaINTrainer)
