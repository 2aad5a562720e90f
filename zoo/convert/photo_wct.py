"""NVIDIA/FastPhotoStyle: ``photo_wct.pth``, four encoders and decoders."""

import torch

from zoo.convert.released import Format, KeyMap, Released
from zoo.convert.vgg import fold_first
from zoo.methods.fast_photo_style import LEVELS, FastPhotoStyle, FastPhotoStyleConfig

SHALLOWER = r"e[123]\.conv.*"


def convert(released: Released, second: Released | None) -> FastPhotoStyle:
    """FastPhotoStyle; the encoders of the lower levels are beginnings of the highest one."""
    method = FastPhotoStyle(FastPhotoStyleConfig(own_encoder=True, published=True))
    assert method.encoder is not None  # noqa: S101 asked for above
    found = KeyMap()
    for name in method.encoder.convs:
        found.layer(f"encoder.convs.{name}", f"e4.conv{name}")
    for level in LEVELS:
        for name in method.decoders[str(level)].convs:  # type: ignore[union-attr]
            found.layer(f"decoders.{level}.convs.{name}", f"d{level}.conv{name}")
    fold_first(method.encoder, released, "e4.conv0", found)
    found.fill(method, released, rf"e4\.conv0\..*|{SHALLOWER}")
    for level in (1, 2, 3):
        prefix = f"e{level}."
        for key, tensor in released.tensors.items():
            same = released.tensors.get(f"e4.{key.removeprefix(prefix)}")
            if key.startswith(prefix) and (same is None or not torch.equal(tensor, same)):
                raise released.fault(f"{key} is not what the encoder of level 4 has")
    return method


FORMAT = Format(
    source="NVIDIA/FastPhotoStyle",
    license="cc-by-nc-sa-4.0",
    terms="Not for commercial use: the original has the licence CC BY-NC-SA 4.0.",
    convert=convert,
)
