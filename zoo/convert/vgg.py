"""Encoders whose first layer turns RGB in [0, 1] into what the weights were trained on."""

import torch
from torch import Tensor

from zoo.convert.released import KeyMap, Released
from zoo.nn.vgg import VGG19


def fold_first(encoder: VGG19, released: Released, color: str, found: KeyMap) -> None:
    """Fold a 1×1 convolution of colours into the convolution after it.

    With x the picture, our encoder gives its first convolution y = M (x - m). Theirs is given
    C x + c, which is C M⁻¹ y + (C m + c): a matrix that goes into the weights, and a constant that
    goes into the bias, mirrored borders or not.

    Args:
        encoder: Ours.
        released: Theirs.
        color: Name of the 1×1 convolution.
        found: Where the changes are put down.

    Raises CheckpointError when that convolution is missing or of another shape.
    """
    shapes = {f"{color}.weight": (3, 3, 1, 1), f"{color}.bias": (3,)}
    for key, shape in shapes.items():
        if released.tensors.get(key, torch.empty(0)).shape != shape:
            raise released.fault(f"it has no {key} of {'×'.join(map(str, shape))}")
    matrix, offset = (released.tensors[key].double() for key in shapes)
    matrix = matrix.view(3, 3)
    own, mean = encoder.matrix.view(3, 3).double(), encoder.mean.view(3).double()
    change = matrix @ torch.linalg.inv(own)
    constant = matrix @ mean + offset
    first = found.names["encoder.convs.1_1.weight"]

    def weight(tensor: Tensor) -> Tensor:
        return torch.einsum("oikl,ij->ojkl", tensor.double(), change).float()

    def bias(tensor: Tensor) -> Tensor:
        return (tensor.double() + released.tensors[first].double().sum((2, 3)) @ constant).float()

    found.changes |= {"encoder.convs.1_1.weight": weight, "encoder.convs.1_1.bias": bias}
