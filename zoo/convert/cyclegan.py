"""junyanz/pytorch-CycleGAN-and-pix2pix: ``latest_net_G.pth`` of one direction, or of both."""

from zoo.convert.released import Format, KeyMap, Released
from zoo.errors import CheckpointError
from zoo.methods.cyclegan import CycleGAN, CycleGANConfig


def convert(there: Released, back: Released | None) -> CycleGAN:
    """CycleGAN with the direction ``there``, and with ``back`` where it is given."""
    given = {"AtoB": there} | ({"BtoA": back} if back else {})
    blocks = {file.count(r"model\.\d+\.conv_block\.1\.weight") for file in given.values()}
    widths = {file.size("model.1.weight") for file in given.values()}
    if len(blocks) > 1 or len(widths) > 1:
        raise CheckpointError("The networks of the two directions are not of one size.")
    config = CycleGANConfig(
        width=widths.pop(), blocks=blocks.pop(), directions=tuple(given), published=True
    )
    method = CycleGAN(config)
    for direction, released in given.items():
        keys(f"generators.{direction}", config.blocks).fill(method, released)
    return method


def keys(generator: str, blocks: int) -> KeyMap:
    """The places of the layers, which are numbered with their paddings and activations there."""
    found = KeyMap()
    for number, place in enumerate((1, 4, 7)):
        found.layer(f"{generator}.body.{number}.0", f"model.{place}")
    for number in range(blocks):
        for conv, place in enumerate((1, 5)):
            found.layer(
                f"{generator}.body.{3 + number}.body.{conv}.0",
                f"model.{10 + number}.conv_block.{place}",
            )
    for number in range(2):
        found.layer(
            f"{generator}.body.{3 + blocks + number}.0", f"model.{10 + blocks + 3 * number}"
        )
    found.layer(f"{generator}.last", f"model.{17 + blocks}")
    return found


FORMAT = Format(
    source="junyanz/pytorch-CycleGAN-and-pix2pix",
    license="bsd-2-clause",
    terms="The original code has the BSD licence; what the weights were trained on has its own.",
    convert=convert,
    second="the network of the way back",
)
