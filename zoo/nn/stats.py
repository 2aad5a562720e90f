"""Statistics of feature maps."""

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
    flat = features.flatten(2).float()  # (B, C, N)
    return flat @ flat.transpose(1, 2) / flat.shape[2]
