"""NVlabs/MUNIT: ``gen_01000000.pt`` and its like, both domains in one file."""

from zoo.convert.released import Format, KeyMap, Released
from zoo.methods.munit import MUNIT, MUNITConfig


def convert(released: Released, second: Released | None) -> MUNIT:
    """MUNIT."""
    blocks = released.count(r"a\.enc_content\.model\.3\.model\.\d+\.model\.0\.conv\.weight")
    config = MUNITConfig(
        width=released.size("a.enc_content.model.0.conv.weight"),
        blocks=blocks,
        code_size=released.size("a.mlp.model.0.fc.weight", 1),
        published=True,
    )
    method = MUNIT(config)
    found = KeyMap()
    for domain in ("A", "B"):
        domain_keys(found, f"networks.{domain}", domain.lower(), blocks)
    found.fill(method, released)
    return method


def domain_keys(found: KeyMap, ours: str, theirs: str, blocks: int) -> None:
    """The places of the layers of one domain."""
    content, style = f"{theirs}.enc_content.model", f"{theirs}.enc_style.model"
    decoder = f"{theirs}.dec.model"
    for number in range(3):
        found.layer(f"{ours}.content_encoder.{number}.0", f"{content}.{number}.conv")
    for number in range(blocks):
        for conv, name in enumerate(("first", "second")):
            found.layer(
                f"{ours}.content_encoder.{3 + number}.body.{conv}.0",
                f"{content}.3.model.{number}.model.{conv}.conv",
            )
            found.layer(
                f"{ours}.blocks.{number}.{name}",
                f"{decoder}.0.model.{number}.model.{conv}.conv",
            )
    for number in range(5):
        found.layer(f"{ours}.style_encoder.{number}.0", f"{style}.{number}.conv")
    found.layer(f"{ours}.style_encoder.6", f"{style}.6")
    for number in range(3):
        found.layer(f"{ours}.statistics.{2 * number}", f"{theirs}.mlp.model.{number}.fc")
    for number in range(2):
        place = f"{decoder}.{2 + 2 * number}"
        found.layer(f"{ours}.up.{1 + 4 * number}", f"{place}.conv")
        found.layer(f"{ours}.up.{2 + 4 * number}", f"{place}.norm", called=("gamma", "beta"))
    found.layer(f"{ours}.last", f"{decoder}.5.conv")


FORMAT = Format(
    source="NVlabs/MUNIT",
    license="cc-by-nc-sa-4.0",
    terms="Not for commercial use: the original has the licence CC BY-NC-SA 4.0.",
    convert=convert,
)
