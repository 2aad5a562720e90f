"""Train style-swap's inverse network on a folder of photos and a folder of paintings.

python -m training.style_swap --photos DIR --paintings DIR --out runs/style_swap
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
from training.recipe import CheckerboardWeight, LoadSize, Photos, Recipe, Run
from zoo.methods.gatys import total_variation
from zoo.methods.style_swap import LAYER, StyleSwap, StyleSwapConfig
from zoo.nn.vgg import vgg19

LAYERS = ("relu1_1", "relu2_1", LAYER)  # where the style term compares
PAIR = 2  # photos, and paintings, of which all four swaps are made


@dataclass(frozen=True, kw_only=True)
class StyleSwapRecipe(Recipe):
    """Train style-swap: an inverse network that swapped features belong to (section 4)."""

    photos: Photos
    paintings: Annotated[Path, Field(description="Folder of paintings, or a pack of one.")]
    steps: Annotated[int, Field(ge=1, le=10**8, description="Optimiser steps.")] = 80_000
    batch_size: Annotated[
        int,
        Field(
            ge=2,
            le=4096,
            multiple_of=PAIR,
            description="Photos, and paintings, a step, for each process; an even number.",
        ),
    ] = 2
    load_size: LoadSize = 256
    lr: Annotated[float, Field(gt=0, le=1, description="Learning rate of Adam.")] = 1e-3
    lr_decay: Annotated[
        float, Field(ge=0, le=1, description="The rate is divided by 1 + this times the step.")
    ] = 1e-4
    tv_weight: Annotated[
        float,
        Field(ge=0, le=1e6, description="Weight of the squared difference of neighbours."),
    ] = 1e-6
    pixel_weight: Annotated[
        float,
        Field(ge=0, le=1e6, description="Weight of giving pictures back; the paper's is 0."),
    ] = 0.0
    style_weight: Annotated[
        float,
        Field(ge=0, le=1e6, description="Weight of AdaIN's style loss on swaps; the paper's is 0."),
    ] = 0.0
    checkerboard_weight: CheckerboardWeight = 0.0
    published: Annotated[bool, Field(description="Swap as published, dark and faded.")] = False


class StyleSwapTrainer(Trainer[StyleSwapRecipe]):
    """Pictures must have the features they were made of."""

    def __init__(self, recipe: StyleSwapRecipe, run: Run) -> None:
        super().__init__(recipe, run)
        self.photos = self.stream(recipe.photos, "photos")
        self.paintings = self.stream(recipe.paintings, "paintings")
        self.features = NormalisedEncoder(
            vgg19("caffe", device=self.device, dtype=self.encoder_dtype),
            self.examples(self.photos, 64),
            LAYERS if recipe.style_weight else [LAYER],
        )
        method = StyleSwap(StyleSwapConfig(width=recipe.width, published=recipe.published))
        method.scale.copy_(self.features.scale[LAYER])
        self.method: StyleSwap = self.build(method)
        # As in training.adain: what training starts from may have another one.
        self.features.scale[LAYER] = self.method.scale
        self.decoder = self.prepare(method.decoder)
        self.optimizer = self.adam_or_muon(method.decoder)

    def step(self) -> dict[str, Tensor]:
        """Update the decoder on photos, paintings and the swaps of each two with each two."""
        pictures = torch.cat([self.batch(self.photos), self.batch(self.paintings)])
        count = self.recipe.batch_size
        pairs = [
            (i, count + j)
            for first in range(0, count, PAIR)
            for i in range(first, first + PAIR)
            for j in range(first, first + PAIR)
        ]  # of a photo and a painting, as numbers of pictures
        with torch.no_grad():
            found, wanted = self.features.measured(pictures)
            swaps = [self.method.swapped(found[i, None], found[j, None]) for i, j in pairs]
            target = torch.cat([found, *swaps])
        made = self.decoder(target)
        output, painted = self.features.measured(made)
        losses = {
            "content": F.mse_loss(output, target),
            "tv": self.recipe.tv_weight * total_variation(made),
        }
        if self.recipe.style_weight:
            # Differs from the paper [style_weight]: style counts in other layers too. Features of
            # one leave open what the layers before it look like, and the network leaves them pale.
            styles = [j for _, j in pairs]
            style_loss = torch.stack(
                [
                    statistics_loss(
                        (painted[layer][0][len(pictures) :], painted[layer][1][len(pictures) :]),
                        (wanted[layer][0][styles], wanted[layer][1][styles]),
                    )
                    for layer in LAYERS
                ]
            ).sum()
            losses["style"] = self.recipe.style_weight * style_loss
        if self.recipe.checkerboard_weight:
            # Differs from the paper [checkerboard_weight]: stripes, which resizing leaves, cost.
            losses["checkerboard"] = self.recipe.checkerboard_weight * stripes(made)
        if self.recipe.pixel_weight:
            # Differs from the paper [pixel_weight]: untouched pictures are to come back pixel by
            # pixel as well, and colours and edges come sooner.
            pixels = F.l1_loss(made[: len(pictures)], pictures)
            losses["pixels"] = self.recipe.pixel_weight * pixels
        loss = torch.stack(list(losses.values())).sum()
        self.update(loss, self.optimizer)
        return losses | {"total": loss}

    def sample(self) -> Tensor:
        """Four photos in the manner of three paintings, under the photos themselves."""
        photos = self.examples(self.photos, self.columns)
        rows = [photos]
        for painting in self.examples(self.paintings, 3):
            rows.append(torch.cat([self.result(photo[None], painting[None]) for photo in photos]))
        return torch.cat(rows)


if __name__ == "__main__":
    main(StyleSwapRecipe, StyleSwapTrainer)
