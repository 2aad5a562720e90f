"""irasin/Pytorch_Style_Swap: ``model_state.pth``, a decoder for torchvision's VGG-19."""

import torch
from torch import Tensor

from zoo.convert.released import Format, KeyMap, Released
from zoo.methods.style_swap import StyleSwap, StyleSwapConfig

LAYERS = ("conv3_1", "conv2_2", "conv2_1", "conv1_2", "conv1_1")
# What that encoder is given: (picture - MEAN) / DEVIATION. The decoder gives back the same.
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def convert(released: Released, second: Released | None) -> StyleSwap:
    """Style-swap as published; the last layer gives pixels."""
    method = StyleSwap(StyleSwapConfig(weights="torchvision", published=True))
    found = KeyMap()
    for number, ours in enumerate(LAYERS, 1):
        found.layer(f"decoder.{ours}", f"rc{number}.conv")
    found.changes |= {"decoder.conv1_1.weight": scaled, "decoder.conv1_1.bias": shifted}
    found.fill(method, released)
    return method


def scaled(weight: Tensor) -> Tensor:
    """Weights of the last layer, for pixels."""
    return weight * torch.tensor(DEVIATION).view(3, 1, 1, 1)


def shifted(bias: Tensor) -> Tensor:
    """Its bias."""
    return bias * torch.tensor(DEVIATION) + torch.tensor(MEAN)


FORMAT = Format(
    source="irasin/Pytorch_Style_Swap",
    license="other",
    terms="The original states no licence: ask its author before any use but research.",
    convert=convert,
)
