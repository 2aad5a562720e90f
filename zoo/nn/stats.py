"""Statistics of feature maps."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

LEAST = 10  # positions a region must have in photo and style to have statistics
MOST = 100  # times as many in one as in the other at which the published code gives a region up


def mean_std(features: Tensor, eps: float = 1e-5) -> tuple[Tensor, Tensor]:
    """Per-channel mean and biased deviation of ``(B, C, H, W)``, each ``(B, C, 1, 1)``.

    ``eps`` is added to the variance, so a flat channel has a deviation of ``sqrt(eps)``. Both are
    at least float32, whatever the features are.
    """
    mean, variance = moments(features)
    return mean, (variance + eps).sqrt()


def moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Per-channel mean and biased variance of ``(B, C, H, W)``, each ``(B, C, 1, 1)``.

    Both are at least float32, and no copy of the features in that precision is made.
    """
    return _Moments.apply(features)


class _Moments(torch.autograd.Function):
    """Mean and variance in two passes over the features, with the gradient written out.

    Autograd would keep a float32 copy of bfloat16 features and run over it half a dozen times; of
    AdaIN's training step that was a half. On a CPU the reductions of ``torch.var`` are also ten
    times slower than those of batch normalisation, which are used here for each picture.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor) -> tuple[Tensor, Tensor]:
        batch, channels = features.shape[:2]
        kind = torch.promote_types(features.dtype, torch.float32)
        if features.device.type == "cpu":
            pairs = [_moments(one[None], kind) for one in features]
            mean, variance = (torch.stack(parts) for parts in zip(*pairs, strict=True))
            if features.dtype == kind:
                mean = features.mean((2, 3))  # exact to the last digit, as float32 features are
        else:
            variance, mean = torch.var_mean(features.to(kind), (2, 3), correction=0)
        mean, variance = mean.view(batch, channels, 1, 1), variance.view(batch, channels, 1, 1)
        ctx.save_for_backward(features, mean)
        return mean, variance

    @staticmethod
    def backward(ctx: Any, grad_mean: Tensor, grad_variance: Tensor) -> Tensor:
        features, mean = ctx.saved_tensors
        kind, count = features.dtype, features.shape[2] * features.shape[3]
        slope = 2 * grad_variance / count
        # Subtracting the rounded mean first keeps the difference as exact as the features are;
        # what the rounding left over is in the offset.
        rounded = mean.to(kind)
        offset = grad_mean / count - slope * (mean - rounded)
        return torch.addcmul(offset.to(kind), features - rounded, slope.to(kind))


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


def by_region(
    change: Callable[[Tensor, Tensor], Tensor],
    content: Tensor,
    style: Tensor,
    maps: tuple[Tensor, Tensor],
    published: bool = False,
) -> Tensor:
    """Change features by the style's, those of each label by those of the same label.

    Differs from the published code of FastPhotoStyle: a label with too few positions on either
    side for statistics of its own gets the change of the whole pictures; there it stays as it was,
    a hole in the result, and so does one with 100 times as many on one side as on the other.

    Args:
        change: Takes features of the photo ``(1, C, n, 1)`` and of the style ``(1, C, m, 1)`` and
            returns the former changed.
        content: Features ``(1, C, H, W)``.
        style: Features ``(1, C, h, w)``.
        maps: Labels of photo and style, ``(1, 1, ·, ·)`` of any size.
        published: Do as the published code does.

    Returns:
        Features ``(1, C, H, W)``.
    """
    result = content.contiguous().clone() if published else content.new_empty(content.shape)
    most = MOST if published else math.inf
    for here, there in pairs(maps, content.shape[2:], style.shape[2:], most):
        if there is None and published:
            continue
        if there is None:
            result[..., here] = change(content, style)[..., here]
        else:
            mine, theirs = content[..., here], style[..., there]
            result[..., here] = change(mine[..., None], theirs[..., None])[..., 0]
    return result


def pairs(
    maps: tuple[Tensor, Tensor],
    content: torch.Size,
    style: torch.Size,
    most: float = math.inf,
) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Which positions of the photo take after which of the style, label by label.

    Args:
        maps: Labels of photo and style, ``(1, 1, ·, ·)`` of any size.
        content: Height and width of the photo's features.
        style: Those of the style's.
        most: A label with so many times as many positions on one side as on the other is alone.

    Yields:
        Masks ``(H, W)`` and ``(h, w)``. All labels with too few positions on either side for
        statistics of their own come last and together, and take after the whole style: None.
    """
    mine, theirs = (
        F.interpolate(labels.float(), list(size), mode="nearest")[0, 0]
        for labels, size in zip(maps, (content, style), strict=True)
    )
    alone = torch.zeros_like(mine, dtype=torch.bool)
    for label in mine.unique():
        here, there = mine == label, theirs == label
        less, more = sorted((int(here.sum()), int(there.sum())))
        if less > LEAST and more < most * less:
            yield here, there
        else:
            alone |= here
    if bool(alone.any()):
        yield alone, None


def _moments(features: Tensor, kind: torch.dtype) -> tuple[Tensor, Tensor]:
    """Mean and variance of ``(1, C, H, W)`` on a CPU, ``(C,)`` each.

    The reductions of batch normalisation are plain running sums. Over strips of some thousand
    pixels they are exact enough; the strips are then put together.
    """
    # Running statistics, which nobody reads, set the precision of the results.
    running = features.new_zeros(features.shape[1], dtype=kind)
    strips = features.split(max(1, 8192 // features.shape[3]), 2)
    parts = [
        torch.batch_norm_update_stats(strip, running.clone(), running.clone(), 0.0)
        for strip in strips
    ]
    if len(parts) == 1:
        return parts[0]
    means, variances = (torch.stack(values) for values in zip(*parts, strict=True))
    shares = means.new_tensor([[strip.shape[2] / features.shape[2]] for strip in strips])
    # No product of matrices, which autocast would make less exact.
    mean = (shares * means).sum(0)
    return mean, (shares * (variances + (means - mean).square())).sum(0)
