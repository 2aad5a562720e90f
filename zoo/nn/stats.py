"""Statistics of feature maps."""

from typing import Any

import torch
from torch import Tensor


def mean_std(features: Tensor, eps: float = 1e-5) -> tuple[Tensor, Tensor]:
    """Per-channel mean and biased deviation of ``(B, C, H, W)``, each ``(B, C, 1, 1)``.

    ``eps`` is added to the variance, so a flat channel has a deviation of ``sqrt(eps)``.
    """
    mean = features.mean((2, 3), keepdim=True)
    variance = features.var((2, 3), keepdim=True, correction=0)
    return mean, (variance + eps).sqrt()


def gram(features: Tensor) -> Tensor:
    """Gram matrix ``F Fᵀ / N`` of ``(B, C, H, W)`` with N = H·W, as ``(B, C, C)`` in float32.

    This is the normalisation of the code that Gatys, Ecker & Bethge published; Johnson, Alahi &
    Fei-Fei divide by C as well, so their style weights do not carry over (a factor of C² in the
    loss).
    """
    return _Gram.apply(features)


class _Gram(torch.autograd.Function):
    """The Gram matrix with the gradient written out.

    Autograd sees a product of two matrices and computes a gradient for each, in float32 and in a
    layout that channels-last features have to be copied into. They are one matrix, so one product
    of the precision of the features does: (D + Dᵀ) F / N. In Gatys' method this halves a step.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor) -> Tensor:
        ctx.save_for_backward(features)
        flat = features.permute(0, 2, 3, 1).flatten(1, 2).float()  # (B, N, C)
        return flat.transpose(1, 2) @ flat / flat.shape[1]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (features,) = ctx.saved_tensors
        batch, channels, height, width = features.shape
        flat = features.permute(0, 2, 3, 1).flatten(1, 2)  # (B, N, C)
        both = (grad + grad.transpose(1, 2)) / flat.shape[1]
        moved = flat @ both.to(flat.dtype)
        return moved.view(batch, height, width, channels).permute(0, 3, 1, 2)
