"""pytorch/examples, dcgan: ``netG_epoch_24.pth`` and its like."""

from zoo.convert.released import Format, KeyMap, Released
from zoo.methods.dcgan import DCGAN, DCGANConfig


def convert(released: Released, second: Released | None) -> DCGAN:
    """DCGAN of 64 × 64 pixels."""
    config = DCGANConfig(
        width=released.size("main.9.weight", 1),
        code_size=released.size("main.0.weight"),
        published=True,
    )
    method = DCGAN(config)
    found = KeyMap()
    for place in (0, 3, 6, 9):
        found.layer(f"generator.body.{place}", f"main.{place}", parts=("weight",))
        norm = f"generator.body.{place + 1}"
        found.layer(norm, f"main.{place + 1}")
        for statistic in ("running_mean", "running_var"):
            found.names[f"{norm}.{statistic}"] = f"main.{place + 1}.{statistic}"
    found.layer("generator.last.0", "main.12", parts=("weight",))
    found.fill(method, released, r".*\.num_batches_tracked")
    return method


FORMAT = Format(
    source="pytorch/examples (dcgan)",
    license="bsd-3-clause",
    terms="The original code has the BSD licence; what the weights were trained on has its own.",
    convert=convert,
)
