"""HsinYingLee/DRIT: ``01200.pth`` and its like, in the concat or the feature-wise mode."""

from torch import Tensor

from zoo.convert.released import Format, KeyMap, Released
from zoo.methods.drit import DRIT, DRITConfig

TRAINING = r"dis(A|B|A2|B2|Content)(_opt)?\..*|(enc_c|enc_a|gen)_opt\..*"


def convert(released: Released, second: Released | None) -> DRIT:
    """DRIT; discriminators and the state of the training are passed over."""
    concat = "gen.dec_share.0.model.1.weight" in released.tensors
    code = "enc_a.fc_A.0.weight" if concat else "enc_a.model_a.16.weight"
    config = DRITConfig(
        width=released.size("enc_c.convA.0.model.1.weight"),
        mode="concat" if concat else "feature",
        code_size=released.size(code),
        published=True,
    )
    method = DRIT(config)
    found = KeyMap()
    residual(found, "content_shared", "enc_c.conv_share.0")
    if concat:
        residual(found, "generator_shared", "gen.dec_share.0")
    for domain in ("A", "B"):
        ours = f"networks.{domain}"
        content_keys(found, f"{ours}.content_encoder", f"enc_c.conv{domain}")
        if concat:
            concat_keys(found, ours, domain)
        else:
            feature_keys(found, ours, domain)
    found.fill(method, released, TRAINING)
    return method


def content_keys(found: KeyMap, ours: str, theirs: str) -> None:
    """The places of a content encoder's layers."""
    for number in range(3):
        found.layer(f"{ours}.{number}.0", f"{theirs}.{number}.model.1")
    for number in range(3, 6):
        residual(found, f"{ours}.{number}", f"{theirs}.{number}")


def concat_keys(found: KeyMap, ours: str, domain: str) -> None:
    """The places of attribute encoder and generator in the concat mode."""
    encoder = f"{ours}.attribute_encoder"
    found.layer(f"{encoder}.body.0.0", f"enc_a.conv_{domain}.1")
    for number in range(1, 4):
        here, there = f"{encoder}.body.{number}", f"enc_a.conv_{domain}.{number + 1}"
        found.layer(f"{here}.body.1", f"{there}.conv.2")
        found.layer(f"{here}.body.3", f"{there}.conv.4.1")
        found.layer(f"{here}.shortcut.1", f"{there}.shortcut.1")
    found.layer(f"{encoder}.mean", f"enc_a.fc_{domain}.0")
    found.layer(f"{encoder}.log_variance", f"enc_a.fcVar_{domain}.0")
    generator, decoder = f"{ours}.generator", f"gen.dec{domain}"
    for number in range(3):
        residual(found, f"{generator}.blocks.{number}", f"{decoder}1.{number}")
    for number in range(2):
        enlarging(found, f"{generator}.up.{number}", f"{decoder}{number + 2}.0")
    found.layer(f"{generator}.last", f"{decoder}4.0", weight=inputs_last)


def feature_keys(found: KeyMap, ours: str, domain: str) -> None:
    """The places of attribute encoder and generator in the feature-wise mode."""
    encoder, there = f"{ours}.attribute_encoder", f"enc_a.model_{domain.lower()}"
    for number in range(5):
        found.layer(f"{encoder}.body.{number}.0", f"{there}.{3 * number + 1}")
    found.layer(f"{encoder}.mean", f"{there}.16", weight=lambda weight: weight.flatten(1))
    generator, decoder = f"{ours}.generator", f"gen.dec{domain}"
    for number in (0, 2, 4):
        found.layer(f"{generator}.extras.{number}", f"gen.mlp{domain}.{number}")
    for number in range(4):
        block, place = f"{generator}.blocks.{number}", f"{decoder}{number + 1}"
        for half in range(2):
            found.layer(f"{block}.convs.{half}", f"{place}.conv{half + 1}.0.1")
            for layer in (0, 2):
                found.layer(f"{block}.mixers.{half}.{layer}", f"{place}.blk{half + 1}.{layer}")
    for number in range(2):
        enlarging(found, f"{generator}.up.{number}", f"{decoder}5.{number}")
    found.layer(f"{generator}.last", f"{decoder}5.2", weight=inputs_last)


def residual(found: KeyMap, ours: str, theirs: str) -> None:
    """A residual block of two convolutions."""
    for conv, place in enumerate((1, 5)):
        found.layer(f"{ours}.body.{conv}.0", f"{theirs}.model.{place}")


def enlarging(found: KeyMap, ours: str, theirs: str) -> None:
    """A transposed convolution and its normalisation."""
    found.layer(f"{ours}.0", f"{theirs}.model.0")
    found.layer(f"{ours}.1", f"{theirs}.model.1", weight=Tensor.flatten, bias=Tensor.flatten)


def inputs_last(weight: Tensor) -> Tensor:
    """A transposed convolution of one pixel as a convolution."""
    return weight.transpose(0, 1)


FORMAT = Format(
    source="HsinYingLee/DRIT",
    license="other",
    terms="The original states no licence: ask its authors before any use but research.",
    convert=convert,
)
