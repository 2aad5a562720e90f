"""Train one network for all style pictures in a folder, or teach a trained one new styles.

python -m training.many_styles --photos DIR --styles DIR --out runs/many_styles
python -m training.many_styles --photos DIR --styles DIR --add-to CHECKPOINT --out runs/more
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from training.cli import main
from training.data import order, pictures_in
from training.johnson import PerceptualRecipe, PerceptualTrainer
from training.recipe import Run
from zoo import checkpoint
from zoo.errors import CheckpointError
from zoo.methods.many_styles import ManyStyles, ManyStylesConfig
from zoo.nn.blocks import StyleNorm


@dataclass(frozen=True, kw_only=True)
class ManyStylesRecipe(PerceptualRecipe):
    """Train one network for many styles (arXiv:1610.07629)."""

    styles: Annotated[Path, Field(description="Folder of style pictures.")]
    add_to: Annotated[
        Path | None,
        Field(description="A trained checkpoint; only the numbers of the new styles are fitted."),
    ] = None


class ManyStylesTrainer(PerceptualTrainer[ManyStylesRecipe]):
    """Every photo of a batch has a style of its own, and all come equally often."""

    columns = 8

    def __init__(self, recipe: ManyStylesRecipe, run: Run) -> None:
        super().__init__(recipe, run)
        paths = pictures_in(recipe.styles)
        self.prepare_loss(paths)
        names = tuple(path.stem for path in paths)
        self.known = 0
        if recipe.add_to is None:
            config = ManyStylesConfig(
                styles=names,
                colors=self.colors,
                contrasts=self.contrasts,
                width=recipe.width,
                published=recipe.published,
                loose=recipe.loose,
            )
            method = ManyStyles(config)
        else:
            method = extended(recipe.add_to, names, self.colors, self.contrasts)
            self.known = len(method.config.styles) - len(names)
        self.count = len(names)
        self.method = self.build(method)
        if self.known:
            method.transform.requires_grad_(False)
            for parameter in norm_parameters(method):
                parameter.requires_grad_(True)
                parameter.register_hook(self._only_new)
        self.prepare_network(method.transform)

    def step(self) -> dict[str, Tensor]:
        """Update the network on one batch of photos, each with a style."""
        photos = self.batch(self.photos)
        which = self.styles_of(self.done)
        mix = torch.nn.functional.one_hot(which + self.known, self.known + self.count)
        return self.update_on(photos, mix.float(), which)

    def styles_of(self, step: int) -> Tensor:
        """Number of the new style for each photo of this process's batch, ``(B,)``."""
        batch, processes = self.recipe.batch_size, self.accelerator.num_processes
        first = (step * processes + self.accelerator.process_index) * batch
        numbers = []
        for position in range(first, first + batch):
            epoch, place = divmod(position, self.count)
            numbers.append(int(order(self.count, self.recipe.seed, epoch)[place]))
        return torch.tensor(numbers, device=self.device)

    def sample(self) -> Tensor:
        """Every style on one of four photos."""
        photos = self.examples(self.photos, 4)
        return torch.cat(
            [self.result(photos[None, i % 4], painting=self.known + i) for i in range(self.count)]
        )

    def _only_new(self, gradient: Tensor) -> Tensor:
        return torch.cat([torch.zeros_like(gradient[: self.known]), gradient[self.known :]])


def norm_parameters(method: ManyStyles) -> list[torch.nn.Parameter]:
    """What belongs to single styles: rows of the norms' scales and shifts."""
    norms = [m for m in method.modules() if isinstance(m, StyleNorm)]
    return [p for norm in norms for p in (norm.weight, norm.bias) if p is not None]


def extended(
    folder: Path,
    names: tuple[str, ...],
    colors: tuple[tuple[float, float, float], ...],
    contrasts: tuple[float, ...],
) -> ManyStyles:
    """The method in ``folder`` with more styles, which start as the mean of those it has.

    Raises CheckpointError when it is no checkpoint of this method.
    """
    trained = checkpoint.load(folder)
    if not isinstance(trained, ManyStyles):
        raise CheckpointError(
            "{name} is a checkpoint of {title}; new styles can be added to Many styles only.",
            name=folder.name,
            title=trained.title,
        )
    known = trained.config
    config = replace(
        known,
        styles=(*known.styles, *names),
        colors=(*known.colors, *colors),
        contrasts=(*known.contrasts, *contrasts),
    )
    method = ManyStyles(config)
    state = trained.state_dict()
    fresh = method.state_dict()
    for name, value in state.items():
        if value.shape != fresh[name].shape:
            new = value.mean(0, keepdim=True).expand(len(names), -1)
            state[name] = torch.cat([value, new])
    method.load_state_dict(state)
    return method


if __name__ == "__main__":
    main(ManyStylesRecipe, ManyStylesTrainer)
