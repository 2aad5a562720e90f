"""A residual network for one picture, with its normalisations folded into its convolutions.

Between two convolutions stands relu(a·x + b), where x is the output of the first one and a, b come
from its statistics and the style. Where a > 0 that is a·relu(x + b/a), so the sign of a goes into
the weights of the first convolution, and its size into those of the second. What is left of
normalisation, ReLU and padding is a subtraction written into a larger tensor, whose border is then
filled in.

Convolving what was resized to the double is done at the small size: of the 3×3 pixels that a pixel
of the double sees, only 2×2 are different ones.

All of this is algebra, so results differ from those of the network itself by rounding alone.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.nn.stats import moments

EPS = 1e-5  # of the instance normalisation


class Affine(NamedTuple):
    """A style's scale and shift for one normalisation, ``(C,)`` each, and the scale's sign.

    Without ``normalise`` scale and shift are all.
    """

    scale: Tensor
    shift: Tensor
    sign: Tensor
    normalise: bool = True

    @classmethod
    def of(cls, scale: Tensor, shift: Tensor, normalise: bool = True) -> "Affine":
        """Of rows ``(1, C)``."""
        sign = torch.where(scale[0] < 0, -1.0, 1.0)
        # b/a needs a number
        return cls(scale[0].abs().clamp(min=1e-12), shift[0], sign, normalise)


def activate(x: Tensor, affine: Affine, border: int) -> tuple[Tensor, Tensor]:
    """Normalise ``x`` ``(1, C, H, W)`` but for a scale, cut it off at 0 and give it a border.

    Returns:
        ``(1, C, H + 2·border, W + 2·border)`` with the border not yet filled, and the scale of
        each channel, ``(C,)``.
    """
    if affine.normalise:
        mean, variance = (value.view(-1) for value in moments(x))
        scale = affine.scale * (variance + EPS).rsqrt()
        zero = mean - affine.shift / scale
    else:
        scale, zero = affine.scale, -affine.shift / affine.scale
    whole, inner = bordered(x, border, x.dtype)
    torch.sub(x, zero.to(x.dtype)[:, None, None], out=inner).relu_()
    return whole, scale


def bordered(x: Tensor, width: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """An empty tensor ``(1, C, H + 2·width, W + 2·width)``, channels last, and its inside."""
    _, channels, height, columns = x.shape
    size = 1, height + 2 * width, columns + 2 * width, channels
    whole = torch.empty(size, dtype=dtype, device=x.device).permute(0, 3, 1, 2)
    return whole, whole[..., width : width + height, width : width + columns]


def reflect(whole: Tensor, width: int) -> Tensor:
    """Fill the border of what :func:`bordered` made by reflection at the outermost pixels."""
    inner = slice(width, -width)
    for x in (whole[..., inner], whole.transpose(2, 3)):  # above and below, then at the sides
        x[..., :width, :] = x[..., width + 1 : 2 * width + 1, :].flip(2)
        x[..., -width:, :] = x[..., -2 * width - 1 : -width - 1, :].flip(2)
    return whole


def repeat(whole: Tensor) -> Tensor:
    """Fill a border of one pixel with the outermost pixels: reflection, where each is doubled."""
    for x in (whole[..., 1:-1], whole.transpose(2, 3)):
        x[..., 0, :], x[..., -1, :] = x[..., 1, :], x[..., -2, :]
    return whole


def convolve(
    x: Tensor, weight: Tensor, scale: Tensor | None, sign: Tensor | None, stride: int = 1
) -> Tensor:
    """Convolve without padding; ``scale`` belongs to the inputs and ``sign`` to the outputs."""
    if scale is not None:
        weight = weight * scale[:, None, None]
    if sign is not None:
        weight = weight * sign[:, None, None, None]
    weight = weight.to(x.dtype, memory_format=torch.channels_last)
    return F.conv2d(x, weight, stride=stride)


def convolve_doubled(x: Tensor, weight: Tensor, scale: Tensor, sign: Tensor) -> Tensor:
    """Convolve the double of ``x`` with a 3×3 kernel, without making it.

    Args:
        x: ``(1, C, H + 2, W + 2)`` as :func:`repeat` returns it.
        weight: ``(D, C, 3, 3)``.
        scale: Of the inputs, ``(C,)``.
        sign: Of the outputs, ``(D,)``.

    Returns:
        ``(1, D, 2H, 2W)``.
    """
    # An even row of the double sees rows (i-1, i, i) of the small one, an odd one (i, i, i+1).
    top, middle, bottom = weight.unbind(2)
    rows = [torch.stack(p, 2) for p in ((top, middle + bottom), (top + middle, bottom))]
    kernels = []
    for kernel in rows:
        left, middle, right = kernel.unbind(3)
        kernels += [torch.stack(p, 3) for p in ((left, middle + right), (left + middle, right))]
    four = convolve(x, torch.cat(kernels), scale, sign.repeat(4)).chunk(4, 1)
    height, columns = x.shape[2] - 2, x.shape[3] - 2
    double = torch.empty(
        (1, 2 * height, 2 * columns, len(weight)), dtype=x.dtype, device=x.device
    ).permute(0, 3, 1, 2)
    for number, one in enumerate(four):
        dy, dx = divmod(number, 2)
        double[..., dy::2, dx::2] = one[..., dy : dy + height, dx : dx + columns]
    return double


def convolve_to_colors(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Convolve with a kernel of three outputs, four pixels at a time.

    A vector unit computes sixteen outputs at once and would be idle for the most part. Shifted by
    a pixel to the right, below, and both, the kernel gives the four pixels of a square, and takes
    ``(k + 1)²`` instead of ``4 k²`` steps.

    Args:
        x: ``(1, C, H + k - 1, W + k - 1)`` with even H and W.
        weight: ``(3, C, k, k)``.
        bias: ``(3,)``.

    Returns:
        ``(1, 3, H, W)``.
    """
    channels, k = weight.shape[1:3]
    shifted = weight.new_zeros(len(weight), 4, channels, k + 1, k + 1)
    for number in range(4):
        dy, dx = divmod(number, 2)
        shifted[:, number, :, dy : dy + k, dx : dx + k] = weight
    shifted = shifted.flatten(0, 1).contiguous(memory_format=torch.channels_last)
    biases = None if bias is None else bias.repeat_interleave(4)
    return F.pixel_shuffle(F.conv2d(x, shifted, biases, stride=2), 2)


class Layers(NamedTuple):
    """A network's convolutions without padding, and a style's numbers for their normalisations."""

    down: list[tuple[nn.Conv2d, Affine]]
    blocks: list[tuple[nn.Conv2d, Affine, nn.Conv2d, Affine]]  # the second ones have no shift
    up: list[tuple[nn.Conv2d, Affine]]
    last: nn.Conv2d


def run(layers: Layers, images: Tensor, precision: torch.dtype) -> Tensor:
    """All of the network but the tanh.

    Args:
        layers: The network.
        images: ``(1, 3, H, W)`` in [0, 1]; 4 divides H and W.
        precision: Of the convolutions of the residual blocks, which are most of the work. With
            bfloat16 there, 8-bit results move by up to 3; with it everywhere by up to 10.

    Returns:
        ``(1, 3, H, W)`` float32.
    """
    border = layers.last.kernel_size[0] // 2
    x, inner = bordered(images, border, torch.float32)
    inner.copy_(2 * images - 1)
    scale = images.new_ones(3)
    for (layer, affine), after in zip(layers.down, (1, 1, 0), strict=True):
        reflect(x, border)
        found = convolve(x, layer.weight, scale, affine.sign, layer.stride[0])
        x, scale = activate(found, affine, after)
        border = after
    # What the blocks add to is the one place where channels of different scale meet.
    stream = x.mul_(scale[:, None, None])
    x, inner = bordered(stream, 1, precision)
    for first, affine, second, last_affine in layers.blocks:
        inner.copy_(stream)
        found = convolve(reflect(x, 1), first.weight, None, affine.sign)
        y, scale = activate(found, affine, 1)
        found = convolve(reflect(y, 1), second.weight, scale, last_affine.sign)
        mean, variance = (value.view(-1) for value in moments(found))
        factor = last_affine.scale * (variance + EPS).rsqrt()
        stream.addcmul_(found, factor[:, None, None]).sub_((mean * factor)[:, None, None])
    x, inner = bordered(stream, 1, torch.float32)
    inner.copy_(stream)
    scale = images.new_ones(len(stream[0]))
    last = layers.last
    for (layer, affine), after in zip(layers.up, (1, last.kernel_size[0] // 2), strict=True):
        found = convolve_doubled(repeat(x), layer.weight, scale, affine.sign)
        x, scale = activate(found, affine, after)
    weight = last.weight * scale[:, None, None]
    return convolve_to_colors(reflect(x, after), weight, last.bias)
