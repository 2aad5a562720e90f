"""Yijunmaverick/CartoonGAN-Test-Pytorch-Torch: ``Hayao_net_G_float.pth`` and its like."""

from torch import Tensor

from zoo.convert.released import Format, KeyMap, Released
from zoo.methods.cartoongan import CartoonGAN, CartoonGANConfig

NORM = ("scale", "shift")


def convert(released: Released, second: Released | None) -> CartoonGAN:
    """CartoonGAN; those networks take and give BGR, which the first and last layer undo."""
    blocks = released.count(r"conv\d\d_2\.weight") - 2
    config = CartoonGANConfig(
        width=released.size("conv01_1.weight"),
        blocks=blocks,
        published=True,
        epsilon=1e-9,
    )
    method = CartoonGAN(config)
    keys(blocks).fill(method, released)
    return method


def keys(blocks: int) -> KeyMap:
    """The places of the layers."""
    found, body = KeyMap(), "generator.body"
    found.layer(f"{body}.0.0", "conv01_1", weight=lambda weight: weight.flip(1))
    found.layer(f"{body}.0.1", "in01_1", called=NORM)
    for number in (1, 2):
        there = f"{number + 1:02}"
        found.layer(f"{body}.{number}.0.0", f"conv{there}_1")
        found.layer(f"{body}.{number}.1.0", f"conv{there}_2")
        found.layer(f"{body}.{number}.1.1", f"in{there}_1", called=NORM)
    for number in range(blocks):
        there = f"{number + 4:02}"
        for conv in range(2):
            found.layer(f"{body}.{3 + number}.body.{conv}.0", f"conv{there}_{conv + 1}")
            found.layer(f"{body}.{3 + number}.body.{conv}.1", f"in{there}_{conv + 1}", called=NORM)
    for number in range(2):
        here = f"{body}.{3 + blocks + number}"
        found.layer(f"{here}.0.0", f"deconv0{number + 1}_1")
        found.layer(f"{here}.1.0", f"deconv0{number + 1}_2")
        found.layer(f"{here}.1.1", f"in{4 + blocks + number:02}_1", called=NORM)
    found.layer("generator.last", "deconv03_1", weight=mirrored, bias=mirrored)
    return found


def mirrored(tensor: Tensor) -> Tensor:
    """The outputs in the order RGB instead of BGR."""
    return tensor.flip(0)


FORMAT = Format(
    source="Yijunmaverick/CartoonGAN-Test-Pytorch-Torch",
    license="mit",
    terms="The original has the MIT licence; the films the weights were trained on are protected.",
    convert=convert,
)
