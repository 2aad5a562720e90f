"""Train a Johnson network for one style picture.

python -m training.johnson --photos DIR --style PICTURE --out runs/johnson
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from training.cli import main
from training.data import content_hash
from training.faults import rims
from training.loop import Trainer
from training.losses import PerceptualLoss, Spikes, stripes
from training.recipe import (
    BatchSize,
    CheckerboardWeight,
    LoadSize,
    Photos,
    Recipe,
    Run,
)
from zoo import images
from zoo.color import luminance
from zoo.methods.gatys import CONTENT_LAYER, STYLE_LAYERS
from zoo.methods.johnson import Johnson, JohnsonConfig
from zoo.nn.blocks import Transform
from zoo.nn.vgg import vgg19

# Content layer and style layers of the objective.
OBJECTIVES = {
    "johnson": ("relu2_2", ("relu1_2", "relu2_2", "relu3_3", "relu4_3")),
    # Differs from the paper [objective=johnson3]: content is compared at relu3_3, as the published
    # train.lua does by default. It allows more abstraction.
    "johnson3": ("relu3_3", ("relu1_2", "relu2_2", "relu3_3", "relu4_3")),
    # Differs from the paper [objective=gatys]: the layers are those of Gatys et al.
    "gatys": (CONTENT_LAYER, STYLE_LAYERS),
    # Differs from the paper [objective=gatys4]: the layers are those of Gatys et al. but relu5_1,
    # which with these weights has less than a thousandth of the style term and costs a quarter of
    # the encoder's time.
    "gatys4": (CONTENT_LAYER, STYLE_LAYERS[:-1]),
}


@dataclass(frozen=True, kw_only=True)
class PerceptualRecipe(Recipe):
    """What a network that learns styles by heart is trained with."""

    photos: Photos
    steps: Annotated[int, Field(ge=1, le=10**8, description="Optimiser steps.")] = 40_000
    batch_size: BatchSize = 4
    load_size: LoadSize = 256
    width: Annotated[int, Field(ge=1, le=512, description="Channels of the first layer.")] = 32
    lr: Annotated[float, Field(gt=0, le=1, description="Learning rate of Adam.")] = 1e-3
    objective: Annotated[
        Literal["johnson", "johnson3", "gatys", "gatys4"],
        Field(
            description="Whose choice of layers; johnson3 has the content layer of the published "
            "code in place of the paper's, gatys4 leaves relu5_1 out."
        ),
    ] = "johnson"
    style_weight: Annotated[
        float,
        Field(ge=0, le=1e9, description="Weight of the style term; 1000 is that of Gatys et al."),
    ] = 5.0
    tv_weight: Annotated[
        float,
        Field(ge=0, le=1e6, description="Weight of the squared difference of neighbours."),
    ] = 0.2  # the paper's 1e-6 goes with a sum over 3 · 256 · 256 values, this with their mean
    checkerboard_weight: CheckerboardWeight = 0.0
    spike_weight: Annotated[
        float,
        Field(
            ge=0,
            le=1e6,
            description="Weight of spikes in features; the papers' 0 lets a long training hide a "
            "blot in every picture, which turns the norms of all the rest.",
        ),
    ] = 0.0
    spike_limit: Annotated[
        float,
        Field(
            ge=3,
            le=1e6,
            description="Kurtosis of features that costs nothing; most have 4 to 15. A patch that "
            "turns the norms needs more, and without it the objective falls more slowly.",
        ),
    ] = 30.0
    warmup: Annotated[
        int,
        Field(
            ge=0,
            description="Steps in which the style term grows to its weight while pixels hold the "
            "photo; without them a short training can lose the photo for good.",
        ),
    ] = 0
    style_size: Annotated[
        int, Field(ge=16, le=4096, description="Longer side of a style picture in pixels.")
    ] = 256
    frame_weight: Annotated[
        float,
        Field(
            ge=0,
            le=1e6,
            description="Weight of a line and a frame: how far the outermost pixel, and the four "
            "outermost, differ from the next ones beyond what the photo's do; the papers' 0.",
        ),
    ] = 0.0
    margin: Annotated[
        int,
        Field(
            ge=0,
            le=256,
            multiple_of=8,
            description="Pixels that results are mirrored outwards by before they are judged; the "
            "papers' 0 lets a long training paint a line along the border, but what "
            "is then judged without a margin keeps much of its style term there.",
        ),
    ] = 0
    published: Annotated[
        bool, Field(description="The network as published, with its frame and checkerboard.")
    ] = False
    loose: Annotated[
        bool,
        Field(
            description="No normalisation after the residual blocks; the papers have it, and a "
            "long training can paint patches into flat areas to steer it."
        ),
    ] = False


P = TypeVar("P", bound=PerceptualRecipe)
FRAMES = (1, 4)  # pixels, as cards measure them


class PerceptualTrainer(Trainer[P]):
    """What networks for one style and for many have in common."""

    def prepare_loss(self, styles: list[Path]) -> None:
        """Read the photos and the style pictures, and make the objective.

        Differs from the paper: the encoder is VGG-19, as for all methods here, not VGG-16; and the
        objective of a style is divided by what untouched photos have, so that styles
        with large Gram matrices do not drown the others and 1 means "untouched".
        """
        recipe = self.recipe
        self.photos = self.stream(recipe.photos, "photos")
        hashes = sorted(map(content_hash, styles))
        digest = hashlib.sha256("".join(hashes).encode()).hexdigest()  # as a pack's
        self.cite("styles", ", ".join(path.stem for path in styles), len(styles), digest)
        pictures = [images.open_picture(path).image for path in styles]
        tensors = [
            images.to_tensor(images.fit(picture, recipe.style_size)).to(self.device)
            for picture in pictures
        ]
        self.colors = tuple(color_of(tensor) for tensor in tensors)
        self.contrasts = tuple(round(float(luminance(tensor).std()), 4) for tensor in tensors)
        content_layer, style_layers = OBJECTIVES[recipe.objective]
        self.loss = PerceptualLoss(
            vgg19("caffe", device=self.device, dtype=self.encoder_dtype),
            tensors,
            content_layer=content_layer,
            style_layers=style_layers,
            style_weight=recipe.style_weight,
            tv_weight=recipe.tv_weight,
            # Differs from the paper [margin]: results are mirrored outwards before they are judged.
            margin=recipe.margin,
        )
        untouched = self.examples(self.photos, 8)
        with torch.no_grad():
            # The median: the objective of a photo of hard contrasts is thirty times that of most,
            # and one among these few would change what the weights of all other terms mean.
            self.untouched = torch.stack(
                [self.objective_of(untouched, i).median() for i in range(len(styles))]
            )

    def prepare_network(self, network: Transform) -> None:
        """Make what :meth:`update_on` needs to train ``network``."""
        self.transform = self.prepare(network)
        self.optimizer = self.adam_or_muon(network)
        # Differs from the paper [spike_weight]: blots that turn the norms cost. The objective
        # hardly sees them.
        watched = self.recipe.spike_weight > 0
        self.spikes = Spikes(network, self.recipe.spike_limit) if watched else None
        self.losses = self.compiled(self._losses)

    def update_on(self, photos: Tensor, mix: Tensor, which: Tensor) -> dict[str, Tensor]:
        """Update the network on ``photos``, repainted in the styles of ``mix``.

        Args:
            photos: ``(B, 3, H, W)`` in [0, 1].
            mix: Shares of all styles of the network, ``(B, styles)`` or ``(1, styles)``.
            which: Number of the style picture for each photo, ``(B,)``.
        """
        warmed = None
        if self.done < self.recipe.warmup:
            warmed = torch.tensor(self.done / self.recipe.warmup, device=self.device)
        losses = self.losses(photos, mix, which, warmed)
        self.update(losses["total"], self.optimizer)
        return losses

    def objective_of(self, pictures: Tensor, style: int) -> Tensor:
        """Objectives ``(B,)`` of ``pictures`` ``(B, 3, H, W)`` taken for repainted photos."""
        which = torch.full((len(pictures),), style, device=self.device)
        terms = self.loss(pictures, pictures, which)
        return torch.stack(list(terms.values())).sum(0)

    def _losses(
        self, photos: Tensor, mix: Tensor, which: Tensor, warmed: Tensor | None
    ) -> dict[str, Tensor]:
        """Each term and their sum, in shares of the untouched photo's objective."""
        # Differs from the paper [published=False]: areas that are wholly black or white keep some
        # of their gradient (zoo.nn.blocks.SLOPE).
        made = self.transform(photos, mix)
        terms = self.loss(made, photos, which)
        means = {name: (term / self.untouched[which]).mean() for name, term in terms.items()}
        weights: dict[str, float | Tensor] = dict.fromkeys(means, 1.0)
        if self.recipe.checkerboard_weight:
            # Differs from the paper [checkerboard_weight]: stripes, which resizing leaves, cost.
            means["checkerboard"] = stripes(made)
            weights["checkerboard"] = self.recipe.checkerboard_weight
        if self.spikes:
            means["spikes"] = self.spikes.take()
            weights["spikes"] = self.recipe.spike_weight
        if self.recipe.frame_weight:
            # Differs from the paper [frame_weight]: a line or a frame along the border costs. The
            # objective hardly sees it.
            found = [rims(made.float(), band) - rims(photos, band) for band in FRAMES]
            means["frame"] = torch.stack(found).abs().mean()
            weights["frame"] = self.recipe.frame_weight
        if warmed is not None:
            weights["style"] = warmed
            means["pixels"] = 10 * F.mse_loss(made.float(), photos)
            weights["pixels"] = 1 - warmed
        total = torch.stack([weights[name] * mean for name, mean in means.items()]).sum()
        return means | {"total": total}


def color_of(picture: Tensor) -> tuple[float, float, float]:
    """Mean RGB of ``(1, 3, H, W)``."""
    red, green, blue = (round(value, 4) for value in picture.mean((0, 2, 3)).tolist())
    return red, green, blue


@dataclass(frozen=True, kw_only=True)
class JohnsonRecipe(PerceptualRecipe):
    """Train Johnson: a small network for one style (section 4.1 of arXiv:1603.08155)."""

    style: Annotated[Path, Field(description="The style picture.")]


class JohnsonTrainer(PerceptualTrainer[JohnsonRecipe]):
    """The objective of an optimisation, given to a network."""

    def __init__(self, recipe: JohnsonRecipe, run: Run) -> None:
        super().__init__(recipe, run)
        self.prepare_loss([recipe.style])
        config = JohnsonConfig(
            width=recipe.width,
            style=recipe.style.stem,
            color=self.colors[0],
            contrast=self.contrasts[0],
            published=recipe.published,
            # Differs from the paper [loose]: the layers after the residual blocks do not normalise,
            # and patches that set the norms there have nothing to set.
            loose=recipe.loose,
        )
        method = self.build(Johnson(config))
        self.prepare_network(method.transform)
        self.mix = torch.ones(1, 1, device=self.device)
        self.which = torch.zeros(recipe.batch_size, dtype=torch.long, device=self.device)

    def step(self) -> dict[str, Tensor]:
        """Update the network on one batch of photos."""
        return self.update_on(self.batch(self.photos), self.mix, self.which)

    def sample(self) -> Tensor:
        """Four photos over the same four repainted."""
        photos = self.examples(self.photos, self.columns)
        return torch.cat([photos, *(self.result(photo[None]) for photo in photos)])


if __name__ == "__main__":
    main(JohnsonRecipe, JohnsonTrainer)
