"""Keeping the photo's colours: what every method offers under "Colours".

Source: Gatys, Bethge, Hertzmann & Shechtman, Preserving Color in Neural Artistic Style Transfer
(arXiv:1606.05897), and Gatys et al., Controlling Perceptual Factors in Neural Style Transfer
(arXiv:1611.07865), section 5.
"""

from typing import Literal

import torch
from torch import Tensor

Colors = Literal["style", "match", "luminance"]

# Rec. 601 luma, the Y of YIQ that the papers use.
LUMA = (0.299, 0.587, 0.114)


def luminance(images: Tensor) -> Tensor:
    """Luma of RGB ``(B, 3, H, W)``, as ``(B, 1, H, W)`` in the same range."""
    weights = images.new_tensor(LUMA).view(1, 3, 1, 1)
    return (images * weights).sum(1, keepdim=True)


def match_color(images: Tensor, reference: Tensor) -> Tensor:
    """Give ``(1, 3, H, W)`` the mean and covariance of the colours of ``reference``.

    The linear map with the symmetric square roots of both covariances (section 5.2 of
    arXiv:1611.07865): A = Σ_ref^½ Σ_img^-½, b = μ_ref - A μ_img. The result is not clamped.
    """
    mean, root = _color_statistics(images)
    target_mean, target_root = _color_statistics(reference)
    matrix = target_root @ torch.linalg.inv(root)
    moved = matrix @ (_exact(images) - mean) + target_mean
    return moved.view(images.shape).to(images.dtype).to(images.device)


def _exact(images: Tensor) -> Tensor:
    """The pixels of ``(1, 3, H, W)`` as ``(3, N)`` in float64, on the CPU: Apple's MPS has none."""
    return images.cpu().double().flatten(2)[0]


def _color_statistics(images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean ``(3, 1)`` and square root ``(3, 3)`` of the colour covariance, as :func:`_exact`."""
    flat = _exact(images)
    mean = flat.mean(1, keepdim=True)
    centred = flat - mean
    covariance = centred @ centred.T / flat.shape[1]
    # The floor keeps a grey or single-coloured picture invertible; 1e-6 is a quarter of a level.
    values, vectors = torch.linalg.eigh(covariance)
    root = vectors @ torch.diag(values.clamp(min=1e-6).sqrt()) @ vectors.T
    return mean, root


def match_luminance(images: Tensor, reference: Tensor) -> Tensor:
    """Grey ``(1, 3, H, W)``: the luma of ``images`` with mean and deviation of ``reference``'s."""
    luma, target = luminance(images), luminance(reference)
    scale = target.std(correction=0) / luma.std(correction=0).clamp(min=1e-6)
    return ((luma - luma.mean()) * scale + target.mean()).expand(-1, 3, -1, -1)


def recolor(result: Tensor, content: Tensor) -> Tensor:
    """The luma of ``result`` ``(B, 3, H, W)`` with the colours of ``content`` ``(1, 3, H, W)``.

    Adding the same number to R, G and B changes Y of YIQ and leaves I and Q alone, so no colour
    space conversion is needed. The result is clamped to [0, 1].
    """
    return (content + luminance(result) - luminance(content)).clamp(0, 1)


def before(content: Tensor, styles: list[Tensor], mode: Colors) -> tuple[Tensor, list[Tensor]]:
    """What the method gets to see, so that its result keeps the photo's colours.

    "match" gives each style picture the photo's colour statistics; "luminance" hides all colour
    from the method, and :func:`after` brings the photo's back.
    """
    if mode == "match":
        return content, [match_color(style, content).clamp(0, 1) for style in styles]
    if mode == "luminance" and styles:
        grey = luminance(content).expand(-1, 3, -1, -1).contiguous()
        return grey, [match_luminance(style, content).clamp(0, 1) for style in styles]
    return content, styles


def after(result: Tensor, content: Tensor, mode: Colors, styled: bool) -> Tensor:
    """Finish a result ``(B, 3, H, W)`` whose inputs went through :func:`before`.

    Args:
        result: What the method made, in [0, 1].
        content: The photo with its colours, ``(1, 3, H, W)`` in [0, 1].
        mode: As chosen.
        styled: Whether the method had a style picture to prepare.
    """
    if mode == "luminance":
        return recolor(result, content)
    if mode == "match" and not styled:
        # Differs from the paper: where the style lives in the weights there is no style picture
        # to match beforehand, so the result is matched instead.
        return torch.cat([match_color(one[None], content) for one in result]).clamp(0, 1)
    return result
