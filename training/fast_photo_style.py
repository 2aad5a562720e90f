"""Train the four decoders of PhotoWCT to invert the encoder, on a folder of photos.

python -m training.fast_photo_style --photos DIR --out runs/photo_wct
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from training.cli import main
from training.loop import Trainer
from training.losses import NormalisedEncoder
from training.recipe import LoadSize, Photos, Recipe, Run
from zoo.methods.fast_photo_style import LEVELS, FastPhotoStyle
from zoo.nn.blocks import Pool, encode_levels
from zoo.nn.vgg import vgg19


@dataclass(frozen=True, kw_only=True)
class FastPhotoStyleRecipe(Recipe):
    """Train FastPhotoStyle: decoders that give photos back (section 3.1 of arXiv:1802.06474)."""

    photos: Photos
    load_size: LoadSize = 256
    width: Annotated[
        int,
        Field(ge=64, le=64, description="Channels of the decoders' last stage: the encoder's."),
    ] = 64
    feature_weight: Annotated[
        float, Field(ge=0, le=1e6, description="Weight of giving features back; pixels have 1.")
    ] = 0.01


class AllDecoders(nn.Module):
    """The decoders as one network, which data parallelism wants."""

    def __init__(self, decoders: nn.ModuleDict) -> None:
        super().__init__()
        self.decoders = decoders

    def forward(self, inputs: dict[int, tuple[Tensor, list[Pool]]]) -> dict[int, Tensor]:
        """Pictures of every level from its features and pools."""
        return {level: self.decoders[str(level)](*given) for level, given in inputs.items()}


class FastPhotoStyleTrainer(Trainer[FastPhotoStyleRecipe]):
    """Pixels and features are to come back as they were, from every level."""

    def __init__(self, recipe: FastPhotoStyleRecipe, run: Run) -> None:
        super().__init__(recipe, run)
        self.photos = self.stream(recipe.photos, "photos")
        self.encoder = vgg19("caffe", device=self.device)
        normalised = NormalisedEncoder(
            self.encoder, self.examples(self.photos, 32), [f"relu{level}_1" for level in LEVELS]
        )
        method = FastPhotoStyle()
        for level in LEVELS:
            method.scale(level).copy_(normalised.scale[f"relu{level}_1"])
        self.method: FastPhotoStyle = self.build(method)
        self.decoders = self.prepare(AllDecoders(method.decoders))
        self.optimizer = self.adam_or_muon(method.decoders)

    def step(self) -> dict[str, Tensor]:
        """Update all decoders on one batch of photos."""
        photos = self.batch(self.photos)
        with torch.no_grad():
            found = self.features(photos, LEVELS)
        made = self.decoders(found)
        losses = {"pixels": torch.stack([F.mse_loss(x, photos) for x in made.values()]).sum()}
        loss = losses["pixels"]
        # Differs from the paper [feature_weight=0.0]: features have no weight. A step then takes
        # half the time, and in a short training colours come back sooner from pixels alone.
        if self.recipe.feature_weight:
            again = {
                level: self.features(picture, (level,))[level] for level, picture in made.items()
            }
            features = [F.mse_loss(again[level][0], found[level][0]) for level in LEVELS]
            losses["features"] = torch.stack(features).sum()
            loss = loss + self.recipe.feature_weight * losses["features"]
        self.update(loss, self.optimizer)
        return losses | {"total": loss}

    def features(
        self, images: Tensor, levels: Sequence[int]
    ) -> dict[int, tuple[Tensor, list[Pool]]]:
        """Features of ``images`` at relu{level}_1 with a mean of 1 per filter, and the pools."""
        with self.accelerator.autocast():
            found = encode_levels(self.encoder, images, levels)
        return {
            level: (features.float() / self.method.scale(level), pools)
            for level, (features, pools) in found.items()
        }

    def sample(self) -> Tensor:
        """Four photos, and what each decoder makes of them."""
        photos = self.examples(self.photos, self.columns)
        rows = [photos]
        for level, (features, pools) in encode_levels(self.encoder, photos, LEVELS).items():
            rows.append(self.result.decode(features, pools, level))  # type: ignore[operator]
        return torch.cat(rows).clamp(0, 1)


if __name__ == "__main__":
    main(FastPhotoStyleRecipe, FastPhotoStyleTrainer)
