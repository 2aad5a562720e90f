"""Make a narrower network of a trained Johnson or many-styles network, to go on training.

    python -m training.narrow CHECKPOINT OUT --photos DIR --width 12 [--style NAME ...]
    python -m training.many_styles ... --width 12 --start-from OUT

A small network learns slowly from nothing what a wide one knows already. After He, Zhang & Sun,
Channel Pruning for Accelerating Very Deep Neural Networks (arXiv:1707.06168): layer by layer the
channels stay that the next layer gets most from, and what is left of a layer is fitted by least
squares to what the whole layer made of the same photos. What comes out is a start, not a result.
What a network does in few places hardly counts there: the green patches that long trainings paint
into flat areas are gone after narrowing by a tenth, and training goes on without them.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, cast

import click
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.cli import mistakes_told
from training.data import Stream, open_pack
from training.recipe import Run
from zoo import checkpoint
from zoo.errors import InputError
from zoo.methods.johnson import Johnson, JohnsonConfig
from zoo.methods.many_styles import ManyStyles
from zoo.nn.blocks import StyleNorm, Transform

STREAM = (3, 5, 7, 9, 11, 13)  # convolutions that read what the residual blocks add to
SIZE, PLACES = 128, 400  # pixels a side of the photos that are fitted on, and places in each
RIDGE = 1e-3  # of the mean power of inputs: no weight explodes where two channels are alike


class Seen(NamedTuple):
    """What a convolution met.

    Args:
        made: What it made at :func:`places`, ``(B, PLACES, outputs)``.
        power: Mean square of each input, ``(inputs,)``.
    """

    made: Tensor
    power: Tensor


def layers(network: Transform) -> list[tuple[nn.Conv2d, StyleNorm | None]]:
    """The convolutions from photo to result, each with the norm that follows."""
    convs = (*network.down, *network.blocks, *network.up, network.last)
    norms = (*network.down_norms, *network.block_norms, *network.up_norms, None)
    return cast(list[tuple[nn.Conv2d, StyleNorm | None]], list(zip(convs, norms, strict=True)))


def places(sides: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Rows and columns of a sample of what a convolution makes, the same ones for any width."""
    generator = torch.Generator().manual_seed(0)
    y, x = (torch.randint(side, (PLACES,), generator=generator) for side in sides)
    return y, x


def patches(conv: nn.Conv2d, features: Tensor) -> Tensor:
    """What ``conv`` multiplies its weights with there, ``(B, PLACES, inputs * k * k)``."""
    size, stride = conv.kernel_size[0], conv.stride[0]
    padded = F.pad(features, (size // 2,) * 4, mode="reflect")
    windows = padded.unfold(2, size, stride).unfold(3, size, stride)  # B, C, H, W, k, k
    y, x = places(windows.shape[2:4])
    return windows[:, :, y, x].permute(0, 2, 1, 3, 4).flatten(2)


def watch(network: Transform, photos: Tensor, mix: Tensor) -> list[Seen]:
    """What each convolution sees when ``network`` repaints ``photos``."""
    seen: list[Seen] = []

    def look(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        y, x = places(output.shape[2:])
        seen.append(Seen(output[:, :, y, x].mT, inputs[0].square().mean((0, 2, 3))))

    handles = [conv.register_forward_hook(look) for conv, _ in layers(network)]
    try:
        network(photos, mix)
    finally:
        for handle in handles:
            handle.remove()
    return seen


def keep(wide: Transform, seen: Sequence[Seen], narrow: Transform) -> list[Tensor]:
    """Which inputs of each convolution of ``wide`` ``narrow`` keeps, and all three of the result.

    Those with the most power times squared weights; the convolutions of ``STREAM`` read the same.
    """
    shares = []
    for (conv, _), met in zip(layers(wide), seen, strict=True):
        gives = met.power * conv.weight.square().sum((0, 2, 3))
        shares.append(gives / gives.sum())
    stream = torch.stack([shares[number] for number in STREAM]).sum(0)
    kept = []
    for number, (conv, _) in enumerate(layers(narrow)):
        share = stream if number in STREAM else shares[number]
        kept.append(share.topk(conv.in_channels).indices.sort().values)
    return [*kept, torch.arange(3)]


@torch.no_grad()
def narrow_to(wide: Transform, narrow: Transform, styles: Sequence[int], photos: Tensor) -> None:
    """Give ``narrow`` what it can hold of ``wide``.

    Args:
        wide: The trained network; not one as published, whose layers pad otherwise.
        narrow: A network of at most its width, and of the styles that stay.
        styles: Numbers of these styles in ``wide``.
        photos: ``(B, 3, H, W)`` in [0, 1], two at least; the styles take turns over them.
    """
    turn = torch.arange(len(photos)) % len(styles)
    known = len(cast(StyleNorm, wide.down_norms[0]).weight)
    theirs = F.one_hot(torch.tensor(styles)[turn], known).float()
    ours = F.one_hot(turn, len(styles)).float()
    seen = watch(wide, photos, theirs)
    kept = keep(wide, seen, narrow)
    # Each layer is fitted as soon as it is come to, with what the layers before have become.
    handles = []
    for (conv, norm), (_, old), met, stays in zip(
        layers(narrow), layers(wide), seen, kept[1:], strict=True
    ):

        def fit_first(
            module: nn.Module,
            inputs: tuple[Tensor, ...],
            norm: StyleNorm | None = norm,
            old: StyleNorm | None = old,
            wanted: Tensor = met.made[..., stays],
            stays: Tensor = stays,
        ) -> None:
            conv = cast(nn.Conv2d, module)
            # A norm takes out the means of each picture; without one, a shift is fitted as well.
            shift = fit(conv, inputs[0], wanted, (1,) if old and old.normalise else (0, 1))
            if norm and old:
                norm.weight.copy_(old.weight[styles][:, stays])
                if norm.bias is not None and old.bias is not None:
                    norm.bias.copy_(old.bias[styles][:, stays])
                    if not norm.normalise:
                        norm.bias.add_(norm.weight * shift[0])
            elif conv.bias is not None:
                conv.bias.copy_(shift.flatten())

        handles.append(conv.register_forward_pre_hook(fit_first))
    try:
        narrow(photos, ours)
    finally:
        for handle in handles:
            handle.remove()


def fit(conv: nn.Conv2d, features: Tensor, wanted: Tensor, over: tuple[int, ...]) -> Tensor:
    """Let ``conv`` make ``wanted`` of ``features``, but for means over ``over``; returns these."""
    inputs, outputs = patches(conv, features).double(), wanted.double()
    inputs_mean, outputs_mean = (t.mean(over, keepdim=True) for t in (inputs, outputs))
    x, y = (inputs - inputs_mean).flatten(0, 1), (outputs - outputs_mean).flatten(0, 1)
    products = x.mT @ x
    products.diagonal().add_(RIDGE * products.diagonal().mean())
    weights = torch.linalg.solve(products, x.mT @ y)
    conv.weight.copy_(weights.mT.unflatten(1, conv.weight.shape[1:]))
    return (outputs_mean - inputs_mean @ weights).float()


def narrowed(
    method: Johnson | ManyStyles, width: int, names: Sequence[str], photos: Tensor
) -> Johnson | ManyStyles:
    """``method`` at ``width``, as far as that can hold it.

    Args:
        method: Johnson or many styles, not as published.
        width: Channels of the first layer, at most those of ``method``.
        names: Of many styles, those to keep, in this order; empty for all.
        photos: See :func:`narrow_to`.

    Raises InputError that says what does not fit.
    """
    config = method.config
    if config.published:
        raise InputError("A network as published cannot be narrowed: its layers pad otherwise.")
    if width > config.width:
        raise InputError(
            "width: {width} is more than the network's {own}; give at most that.",
            width=width,
            own=config.width,
        )
    if isinstance(config, JohnsonConfig):
        known: tuple[str, ...] = (config.style,)
    else:
        known = config.styles
    for name in names:
        if name not in known:
            raise InputError(
                "style: the network has not learned {name}; it knows {known}.",
                name=name,
                known=", ".join(known),
            )
    numbers = [known.index(name) for name in names or known]
    small: Johnson | ManyStyles
    if isinstance(config, JohnsonConfig):
        small = Johnson(replace(config, width=width))
    else:
        small = ManyStyles(
            replace(
                config,
                width=width,
                styles=tuple(known[number] for number in numbers),
                colors=tuple(config.colors[number] for number in numbers),
                contrasts=tuple(config.contrasts[number] for number in numbers),
            )
        )
    narrow_to(method.transform, small.transform, numbers, photos)
    return small


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--photos", type=click.Path(path_type=Path), required=True, help="What to fit on.")
@click.option("--width", type=click.IntRange(1), required=True, help="Of the first layer.")
@click.option("--style", "names", multiple=True, help="Keep this one; repeatable, else all.")
@click.option("--count", default=96, type=click.IntRange(2), show_default=True, help="Photos used.")
def main(
    folder: Path, out: Path, photos: Path, width: int, names: tuple[str, ...], count: int
) -> None:
    """Narrow the Johnson or many-styles checkpoint in FOLDER, into the new folder OUT."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with mistakes_told():
        method = checkpoint.load(folder)
        if not isinstance(method, Johnson | ManyStyles):
            raise InputError(
                "{title} cannot be narrowed, only Johnson and many styles can.", title=method.title
            )
        if out.exists():
            raise InputError("{out} is there already; choose another name.", out=out)
        crops = Stream(open_pack(photos, 2 * SIZE, Run(out=out).packs), SIZE, 1, 0, 0, 1)
        small = narrowed(method, width, names, crops.crops(0, count).float().div_(255))
        checkpoint.save(small, out)
    click.echo(f"{folder.name} at width {width}: {out}")


if __name__ == "__main__":
    main()
