"""Make a CycleGAN without norms of a trained one that has them, to go on training.

    python -m training.unnormed CHECKPOINT OUT --domain-a DIR --domain-b DIR
    python -m training.cyclegan ... --norm none --start-from OUT

An instance normalisation takes from every picture how strong its features are. A generator that
needs to know paints a patch that stands out, mostly into the dark, and reads it off the patch
(Karras et al., arXiv:1912.04958, section 2). Without norms no patch is of use; but such a network
learns slowly from nothing. So each norm becomes the scale and the shift that it has over some
pictures, in the weights before it, and then every way learns to make what it made with norms. What
comes out is a start, not a result: it is blurred, and has lost the patches already.
"""

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import click
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.cli import mistakes_told
from training.data import Stream, open_pack
from training.recipe import Run
from zoo import checkpoint
from zoo.errors import InputError
from zoo.methods.cyclegan import CycleGAN, Generator
from zoo.nn.blocks import autocast
from zoo.nn.translation import InstanceNorm
from zoo.pipeline import fast_precision

log = logging.getLogger(__name__)

FOLDED, BATCH = 24, 4  # pictures that norms are measured on, and in a step
LOAD_SIZE, SIZE = 192, 160
RATE, WARMUP, CLIP = 3e-4, 20, 1.0  # at once at the full rate, it forgets what was folded
COARSE = 8  # pixels a side of the squares whose means are compared as well
LEAST = 1e-4  # deviation of a channel that is nearly always off


def convolutions(network: Generator) -> list[nn.Conv2d]:
    """Those of ``network`` that a norm follows, or could."""
    return [module for module in network.body.modules() if isinstance(module, nn.Conv2d)]


@torch.no_grad()
def fold(normed: Generator, plain: Generator, pictures: Tensor) -> None:
    """Give ``plain`` the weights of ``normed``, and the norms that go with ``pictures``.

    Args:
        normed: With instance normalisations that have no parameters.
        plain: The same without norms.
        pictures: ``(B, 3, H, W)`` in [-1, 1]; all their pixels count alike.
    """
    handles = []

    def take_in(module: nn.Module, _: object, made: Tensor) -> Tensor:
        conv = cast(nn.Conv2d, module)
        mean, deviation = made.mean((0, 2, 3)), made.std((0, 2, 3)).clamp(min=LEAST)
        conv.weight.div_(deviation[:, None, None, None])
        cast(Tensor, conv.bias).copy_(-mean / deviation)
        return (made - mean[:, None, None]) / deviation[:, None, None]

    for source, target in zip(convolutions(normed), convolutions(plain), strict=True):
        target.weight.copy_(source.weight)
        nn.init.zeros_(cast(Tensor, target.bias))  # of the source it would be normalised away
        handles.append(target.register_forward_hook(take_in))
    plain.last.load_state_dict(normed.last.state_dict())
    try:
        plain(pictures)  # each is settled before the next one sees what it makes
    finally:
        for handle in handles:
            handle.remove()


def imitate(normed: Generator, plain: Generator, batches: Iterator[Tensor], steps: int) -> None:
    """Let ``plain`` learn to make of batches, ``(B, 3, s, s)`` in [-1, 1], what ``normed`` makes.

    Raises InputError when the difference is no number any more.
    """
    optimizer = torch.optim.Adam(plain.parameters(), RATE, (0.9, 0.99))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1, (step + 1) / WARMUP) * (1 - step / max(1, steps))
    )
    for step in range(steps):
        pictures = next(batches)
        with autocast(pictures.device, fast_precision(pictures.device)):
            with torch.no_grad():
                wanted = normed(pictures)
            made = plain(pictures)
        loss = F.l1_loss(made, wanted)
        loss = loss + F.l1_loss(F.avg_pool2d(made, COARSE), F.avg_pool2d(wanted, COARSE))
        if not loss.isfinite():
            raise InputError("The network without norms does not learn; its weights overflow.")
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(plain.parameters(), CLIP)
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            log.info("step %d of %d: %.3f", step, steps, loss.item())


def unnormed(method: CycleGAN, streams: dict[str, Stream], steps: int) -> CycleGAN:
    """``method`` without norms, as far as that can do what it does.

    Args:
        method: With instance normalisation, not as published.
        streams: Pictures to translate, for each way.
        steps: Of the imitation, for each way.

    Raises InputError for another network.
    """
    if method.config.published or not any(isinstance(m, InstanceNorm) for m in method.modules()):
        raise InputError(
            "This CycleGAN has no instance normalisation to take away, or is one as published, "
            "whose layers are other ones."
        )
    plain = CycleGAN(replace(method.config, norm="none"))
    for network in (method, plain):
        network.to(memory_format=torch.channels_last)
    for way, stream in streams.items():
        normed, bare = (cast(Generator, one.generators[way]) for one in (method, plain))
        fold(normed, bare, scaled(stream.crops(0, FOLDED)))
        batches = (scaled(stream(number)) for number in range(FOLDED, FOLDED + steps))
        log.info("%s", way)
        imitate(normed, bare, batches, steps)
    return plain


def scaled(crops: Tensor) -> Tensor:
    """Bytes to numbers in [-1, 1]."""
    return crops.float().div(127.5).sub(1)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--domain-a", type=click.Path(path_type=Path), required=True, help="Of the first.")
@click.option("--domain-b", type=click.Path(path_type=Path), required=True, help="Of the second.")
@click.option("--steps", default=350, type=click.IntRange(0), show_default=True, help="Each way.")
def main(folder: Path, out: Path, domain_a: Path, domain_b: Path, steps: int) -> None:
    """Take the norms of the CycleGAN in FOLDER away, into the new folder OUT."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with mistakes_told():
        method = checkpoint.load(folder)
        if not isinstance(method, CycleGAN):
            raise InputError("{title}: only a CycleGAN can lose its norms.", title=method.title)
        if out.exists():
            raise InputError("{out} is there already; choose another name.", out=out)
        streams = {
            way: Stream(open_pack(domain, LOAD_SIZE, Run(out=out).packs), SIZE, BATCH, 0, 0, 1)
            for way, domain in (("AtoB", domain_a), ("BtoA", domain_b))
            if way in method.config.directions
        }
        checkpoint.save(unnormed(method, streams, steps), out)
    click.echo(f"{folder.name} without norms: {out}")


if __name__ == "__main__":
    main()
