"""Style-swap: rebuild the photo's features from patches of the style's.

Source: Chen & Schmidt, Fast Patch-based Style Transfer of Arbitrary Style (arXiv:1612.04337). At
relu3_1 of VGG-19 every 3×3 patch of the photo's features is replaced by the style's patch with the
largest normalised correlation; overlapping patches are averaged. An inverse network, or an
optimisation of the pixels, makes a picture of the result.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from zoo.form import Control
from zoo.method import (
    Content,
    Method,
    MoreStyles,
    Paper,
    Step,
    Strength,
    Style,
    StyleShares,
    shares,
)
from zoo.nn.blocks import autocast, decoder, encode
from zoo.nn.kept import Kept
from zoo.nn.stats import mean_std
from zoo.nn.vgg import CHANNELS, Weights, vgg19

LAYER = "relu3_1"
BLOCK = 2**23  # products held at a time: 32 MB


@dataclass(frozen=True, kw_only=True)
class StyleSwapConfig:
    """What the weights are.

    Args:
        width: Channels of the decoder's last stage; 64 mirrors the encoder as in the paper.
        weights: Whose VGG-19 the decoder inverts.
        published: Swap as published. Photo and style then hardly ever agree on what a bright or a
            busy feature is, the same few patches match everywhere, and averaging them leaves a
            dark and faded picture. By default features are compared after both were brought
            to mean 0 and deviation 1, and the result gets the style's mean and deviation back.
            The published encoder pads with zeros, the decoder has one convolution before its
            first resize.
    """

    width: int = 64
    weights: Weights = "caffe"
    published: bool = False


class StyleSwap(Method):
    """One inverse network for any style."""

    name = "style_swap"
    title = "Style-swap"
    summary = "Paints with patches of the style picture itself."
    paper = Paper(
        "Fast Patch-based Style Transfer of Arbitrary Style",
        "Tian Qi Chen, Mark Schmidt",
        2016,
        "1612.04337",
    )
    checkpoint = "zoo/style-swap"
    Config = StyleSwapConfig
    multiple = 4
    bf16 = True
    config: StyleSwapConfig

    def __init__(self, config: StyleSwapConfig = StyleSwapConfig()) -> None:
        super().__init__(config)
        self.decoder = decoder(3, config.width, short=config.published)
        self.register_buffer("scale", torch.ones(1, CHANNELS["3_1"], 1, 1))
        self.scale: Tensor  # mean activation of every filter over the training photos
        self.looks = Kept(self.encode)

    def forward(
        self,
        content: Content,
        style: Style,
        *,
        strength: Strength = 1.0,
        patch_size: Annotated[
            int,
            Field(ge=1, le=9, description="Side of a patch: larger takes whole motifs over."),
            Control(offers=(("1", 1), ("3", 3), ("5", 5), ("7", 7)), more=True),
        ] = 3,
        mode: Annotated[
            Literal["network", "optimise"],
            Field(description="A network draws at once; optimising is slow and sharper."),
            Control(words={"network": "Fast", "optimise": "Fine"}, more=True),
        ] = "network",
        steps: Annotated[
            int,
            Field(ge=10, le=1000, description="Steps of the optimisation."),
            Control(step=10, more=True, only={"mode": "optimise"}),
        ] = 100,
        more_styles: MoreStyles = [],  # noqa: B006 read, never changed
        style_weights: StyleShares = [],  # noqa: B006
    ) -> Tensor | Iterator[Step]:
        """Repaint ``content`` at once, or step by step where it is optimised.

        Raises InputError when the shares do not fit the style pictures.
        """
        styles = [style, *more_styles]
        mix = shares(style_weights, len(styles))
        features = self.encode(content)
        swapped = torch.zeros_like(features)
        for picture, share in zip(styles, mix, strict=True):
            swapped += share * self.swapped(features, self.looks(picture), patch_size)
        target = torch.lerp(features, swapped, strength)
        if mode == "optimise":
            return self.optimised(content, target, steps)
        result = self.decode(target)
        if strength < 1:
            # Differs from the paper: what the network loses of the untouched photo is given back
            # in the same measure, so that strength 0 is the photo itself.
            result = result + (1 - strength) * (content - self.decode(features))
        return result.clamp(0, 1)

    def swapped(self, content: Tensor, style: Tensor, patch_size: int = 3) -> Tensor:
        """Rebuild features ``(1, C, H, W)`` from patches of features ``(1, C, h, w)``."""
        size = min(patch_size, *content.shape[2:], *style.shape[2:])
        if self.config.published:
            return rebuild(style, match(content, style, size), size)
        # Differs from the paper: features are compared, and averaged, at mean 0 and deviation 1,
        # and get the style's mean and deviation at the end; see StyleSwapConfig.
        mean, deviation = mean_std(style)
        chosen = match(standardised(content), standardised(style), size)
        return standardised(rebuild(style, chosen, size)) * deviation + mean

    @torch.enable_grad()
    def optimised(self, content: Tensor, target: Tensor, steps: int) -> Iterator[Step]:
        """Yield the picture as its features approach ``target`` (section 3.3)."""
        image = content.clone().requires_grad_()
        # Differs from the paper: pixels in [0, 1] and a rate to match, not 0..255.
        optimizer = torch.optim.Adam([image], lr=0.02)
        for number in range(1, steps + 1):
            optimizer.zero_grad()
            features = self.encode(image, torch.float32) / self.scale
            down = (image[..., 1:, :] - image[..., :-1, :]).square().mean()
            right = (image[..., 1:] - image[..., :-1]).square().mean()
            (F.mse_loss(features, target / self.scale) + 0.1 * (down + right)).backward()
            optimizer.step()
            with torch.no_grad():
                image.clamp_(0, 1)
            yield Step(image.detach().clone(), number, steps)

    def encode(self, images: Tensor, precision: torch.dtype | None = None) -> Tensor:
        """Map ``(B, 3, H, W)`` in [0, 1] to relu3_1 ``(B, 256, H / 4, W / 4)``."""
        kind = precision or self.precision
        encoder = vgg19(self.config.weights, device=images.device, dtype=kind)
        if self.config.published:
            return encoder(images, [LAYER])[LAYER].float()
        return encode(encoder, images, 3)[0].float()

    def decode(self, features: Tensor) -> Tensor:
        """Map relu3_1 features to pictures ``(B, 3, H, W)``, about [0, 1]."""
        with autocast(features.device, self.precision):
            x = self.decoder[:-1](features / self.scale)
        return self.decoder[-1](x.float())


def standardised(features: Tensor) -> Tensor:
    """``(B, C, H, W)`` with mean 0 and deviation 1 in every channel of every picture."""
    mean, deviation = mean_std(features)
    return (features - mean) / deviation


def match(content: Tensor, style: Tensor, size: int = 3, block: int = BLOCK) -> Tensor:
    """Find the style patch with the largest normalised correlation for every content patch.

    The score of a pair of patches is the sum of the scores of their ``size²`` pairs of pixels, and
    neighbouring patches share most of those: pixels are compared once, by a matrix product, and
    summed along both diagonals. Compared with correlating whole patches that is a ninth of the
    work for 3×3. Neither the products nor the scores are ever held whole: blocks of style rows go
    past with a running maximum, so memory is set by ``block`` and not by the pictures.

    Args:
        content: Features ``(1, C, H, W)``.
        style: Features ``(1, C, h, w)``.
        size: Side of a patch.
        block: About how many products are held at a time.

    Returns:
        Index ``y · (w - size + 1) + x`` of the style patch whose top left corner is (y, x), int64,
        ``(H - size + 1, W - size + 1)``; of equal ones the first.
    """
    contents = content[0].permute(1, 2, 0).contiguous()  # (H, W, C)
    styles = style[0].permute(1, 2, 0).contiguous()  # (h, w, C)
    halo = size - 1
    rows, columns = contents.shape[0] - halo, contents.shape[1] - halo
    style_rows, style_columns = styles.shape[0] - halo, styles.shape[1] - halo
    energy = style.square().sum(1, keepdim=True)
    length = F.avg_pool2d(energy, size, 1)[0, 0].mul(size**2).clamp(min=1e-12).sqrt()  # (h', w')
    best = contents.new_full((rows, columns), -torch.inf)
    chosen = torch.zeros((rows, columns), dtype=torch.long, device=content.device)
    side = max(1, int((block / (contents.shape[1] * styles.shape[1])) ** 0.5) - halo)
    for first in range(0, style_rows, side):
        last = min(first + side, style_rows)
        some = styles[first : last + halo].flatten(0, 1).T  # (C, ·)
        for top in range(0, rows, side):
            bottom = min(top + side, rows)
            pixels = contents[top : bottom + halo].flatten(0, 1) @ some
            pixels = pixels.view(bottom - top + halo, -1, last - first + halo, styles.shape[1])
            score = pixels[:, :columns, :, :style_columns].clone()
            for d in range(1, size):
                score += pixels[:, d : d + columns, :, d : d + style_columns]
            pixels, score = score, score[: bottom - top, :, : last - first].clone()
            for d in range(1, size):
                score += pixels[d : d + bottom - top, :, d : d + last - first]
            score /= length[first:last]
            value, index = score.flatten(2).max(2)
            # Only a larger score replaces an earlier one, so ties end as without blocks.
            better = value > best[top:bottom]
            best[top:bottom] = torch.where(better, value, best[top:bottom])
            index += first * style_columns
            chosen[top:bottom] = torch.where(better, index, chosen[top:bottom])
    return chosen


def rebuild(style: Tensor, chosen: Tensor, size: int = 3) -> Tensor:
    """Lay the chosen style patches side by side and average where they overlap.

    Args:
        style: Features ``(1, C, h, w)``.
        chosen: As :func:`match` returns it, ``(H - size + 1, W - size + 1)``.
        size: Side of a patch.

    Returns:
        Features ``(1, C, H, W)``.
    """
    rows, columns = chosen.shape
    width = style.shape[3]
    y, x = chosen // (width - size + 1), chosen % (width - size + 1)
    pixels = style[0].flatten(1)  # (C, h w)
    total = style.new_zeros(style.shape[1], rows + size - 1, columns + size - 1)
    count = style.new_zeros(rows + size - 1, columns + size - 1)
    for dy in range(size):
        for dx in range(size):
            taken = pixels[:, ((y + dy) * width + x + dx).flatten()]
            total[:, dy : dy + rows, dx : dx + columns] += taken.view(-1, rows, columns)
            count[dy : dy + rows, dx : dx + columns] += 1
    return (total / count)[None]
