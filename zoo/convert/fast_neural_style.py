"""pytorch/examples, fast_neural_style: ``candy.pth``, ``mosaic.pth`` and their like."""

from pathlib import Path

from torch import Tensor

from zoo.convert.released import UNUSED, Format, KeyMap, Released
from zoo.methods.johnson import Johnson, JohnsonConfig

# Biases before a normalisation, and shifts that reach nothing but one: every border is a mirror
# there, so a constant stays a constant, and the normalisation takes it away.
IDLE = r"(conv[123]|deconv[12]|res\d\.conv[12])\.conv2d\.bias|res\d\.in2\.bias"


def convert(released: Released, second: Released | None) -> Johnson:
    """Johnson; those networks take and give 0..255, which the first and last layer undo."""
    config = JohnsonConfig(
        width=released.size("conv1.conv2d.weight"), style=Path(released.name).stem, bounded=False
    )
    method = Johnson(config)
    keys().fill(method, released, f"{IDLE}|{UNUSED}")
    return method


def keys() -> KeyMap:
    """The places of the layers."""
    found, net = KeyMap(), "transform"
    for number in range(3):
        # Pictures are in [-1, 1] here: the offset is a constant, which the normalisation removes.
        change = (lambda weight: 127.5 * weight) if number == 0 else None
        found.layer(
            f"{net}.down.{number}", f"conv{number + 1}.conv2d", weight=change, parts=("weight",)
        )
        norm(found, f"{net}.down_norms.{number}", f"in{number + 1}")
    for number in range(10):
        block, conv = number // 2 + 1, number % 2 + 1
        found.layer(f"{net}.blocks.{number}", f"res{block}.conv{conv}.conv2d", parts=("weight",))
        norm(found, f"{net}.block_norms.{number}", f"res{block}.in{conv}", shift=conv == 1)
    for number in range(2):
        found.layer(f"{net}.up.{number}", f"deconv{number + 1}.conv2d", parts=("weight",))
        norm(found, f"{net}.up_norms.{number}", f"in{number + 4}")
    found.layer(f"{net}.last", "deconv3.conv2d", weight=to_unit, bias=to_unit)
    return found


def norm(found: KeyMap, ours: str, theirs: str, shift: bool = True) -> None:
    """Add a normalisation, whose parameters have a row for each style here."""
    parts = ("weight", "bias") if shift else ("weight",)
    found.layer(ours, theirs, weight=one_row, bias=one_row, parts=parts)


def one_row(tensor: Tensor) -> Tensor:
    """``(C,)`` as ``(1, C)``."""
    return tensor[None]


def to_unit(tensor: Tensor) -> Tensor:
    """Of what makes 0..255, what makes [0, 1]."""
    return tensor / 255


FORMAT = Format(
    source="pytorch/examples (fast_neural_style)",
    license="bsd-3-clause",
    terms="The original has the BSD licence.",
    convert=convert,
)
