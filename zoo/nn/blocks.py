"""Layers that the feed-forward methods are built from."""

from collections import OrderedDict
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.nn import folded
from zoo.nn.vgg import CONVS_PER_STAGE, VGG19

SLOPE = 0.1  # least share of a gradient that passes the last layer's tanh


def conv(
    inputs: int, outputs: int, kernel: int = 3, stride: int = 1, *, bias: bool = True
) -> nn.Conv2d:
    """A convolution that keeps the size (divided by ``stride``) and reflects at the border.

    Zeros there are what draws a dark frame around the results of the first published networks.
    A bias would do nothing before a normalisation but drift.
    """
    return nn.Conv2d(
        inputs, outputs, kernel, stride, kernel // 2, bias=bias, padding_mode="reflect"
    )


def doubled(features: Tensor) -> Tensor:
    """Nearest-neighbour resize of ``(B, C, H, W)`` to ``(B, C, 2H, 2W)``.

    Followed by a convolution it replaces the transposed convolution, whose uneven overlap of
    kernels is the checkerboard of the first published networks.
    """
    return F.interpolate(features, scale_factor=2.0, mode="nearest")


def instance_norm(
    features: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Give each channel of each picture mean 0 and variance 1; then scale and shift it.

    torch's own has a wrong gradient on a CPU for a batch of one whose gradient arrives with
    channels last (in 2.15: off by more than its length). It is also several times slower there,
    for it changes the layout. Batch normalisation of a single picture is the same and has neither.

    Args:
        features: ``(B, C, H, W)``, more than a pixel each.
        weight: Scale ``(C,)``.
        bias: Shift ``(C,)``.
        eps: Added to the variance.

    Returns:
        ``(B, C, H, W)``, channels last.
    """
    if features.device.type == "cpu" or len(features) == 1:
        normed = [
            F.batch_norm(one, None, None, weight, bias, training=True, eps=eps)
            for one in features.split(1)
        ]
        made = normed[0] if len(normed) == 1 else torch.cat(normed)
    else:
        made = F.instance_norm(features, weight=weight, bias=bias, eps=eps)
    # The normalisation may forget the layout that the next convolution is fastest in.
    return made.contiguous(memory_format=torch.channels_last)


class StyleNorm(nn.Module):
    """Instance normalisation whose scale and shift belong to a style.

    Dumoulin, Shlens & Kudlur, A Learned Representation for Artistic Style (arXiv:1610.07629): all
    styles share the convolutions, and a mixture of styles is a mixture of these parameters.
    Without it a style depends on the contrast of the photo (Ulyanov et al., arXiv:1607.08022).

    Args:
        channels: Of the features.
        styles: How many styles there are.
        shift: Whether there is one.
        normalise: Whether features are normalised before; else scale and shift are all.
    """

    def __init__(
        self,
        channels: int,
        styles: int = 1,
        shift: bool = True,
        normalise: bool = True,
    ) -> None:
        super().__init__()
        self.normalise = normalise
        self.weight = nn.Parameter(torch.ones(styles, channels))
        self.bias = nn.Parameter(torch.zeros(styles, channels)) if shift else None

    def forward(self, features: Tensor, mix: Tensor) -> Tensor:
        """Map ``(B, C, H, W)``; ``mix`` is ``(B, styles)`` or ``(1, styles)``, each row's sum 1."""
        normed = instance_norm(features) if self.normalise else features
        normed = normed * (mix @ self.weight)[:, :, None, None].to(normed.dtype)
        if self.bias is not None:
            normed = normed + (mix @ self.bias)[:, :, None, None].to(normed.dtype)
        # The normalisation forgets the layout that the next convolution is fastest in.
        return normed.contiguous(memory_format=torch.channels_last)

    def affine(self, mix: Tensor) -> folded.Affine:
        """Scale and shift for ``mix`` ``(1, styles)``."""
        scale = mix @ self.weight
        shift = torch.zeros_like(scale) if self.bias is None else mix @ self.bias
        return folded.Affine.of(scale, shift, self.normalise)


class Transform(nn.Module):
    """The residual network of Johnson, Alahi & Fei-Fei (arXiv:1603.08155), for N styles.

    Args:
        width: Channels of the first layer; 32 in the paper, 16 in the models released later.
        styles: How many styles share the convolutions.
        published: As published: reflection only around the picture, then zero padding outside
            and none inside the residual blocks, and transposed convolutions. They frame
            results with streaks and cover them with a checkerboard; by default every
            convolution reflects and features are resized before they are convolved.
        bounded: Whether a tanh follows the last layer.
        loose: Whether the layers after the residual blocks scale and shift without normalising.
            Every published network normalises there, and a long training can then paint a patch
            into flat areas: it holds most of the variance of the last features, and whoever sets
            it sets the contrast of all the rest (Karras et al., arXiv:1912.04958, section 2).
    """

    def __init__(
        self,
        width: int,
        styles: int = 1,
        published: bool = False,
        bounded: bool = True,
        loose: bool = False,
    ) -> None:
        super().__init__()
        self.published, self.bounded = published, bounded
        padded = zero_padded if published else conv
        inner = unpadded if published else conv
        larger = transposed if published else conv
        w = width
        sizes = ((3, w, 9, 1), (w, 2 * w, 3, 2), (2 * w, 4 * w, 3, 2))
        self.down = nn.ModuleList([padded(*size, bias=False) for size in sizes])
        self.down_norms = nn.ModuleList([StyleNorm(c, styles) for c in (w, 2 * w, 4 * w)])
        self.blocks = nn.ModuleList([inner(4 * w, 4 * w, bias=False) for _ in range(10)])
        # Where convolutions reflect, a shift at the end of a block survives until the next
        # normalisation only, so it would do nothing but drift.
        self.block_norms = nn.ModuleList(
            [StyleNorm(4 * w, styles, published or i % 2 == 0) for i in range(10)]
        )
        self.up = nn.ModuleList([larger(4 * w, 2 * w, bias=False), larger(2 * w, w, bias=False)])
        self.up_norms = nn.ModuleList(
            [StyleNorm(c, styles, normalise=not loose) for c in (2 * w, w)]
        )
        self.last = padded(w, 3, 9)

    def forward(
        self, images: Tensor, mix: Tensor, precision: torch.dtype = torch.float32
    ) -> Tensor:
        """Repaint ``(B, 3, H, W)`` in [0, 1]; 4 divides H and W.

        Args:
            images: What to repaint.
            mix: Shares of the styles, ``(B, styles)`` or ``(1, styles)``.
            precision: For results, that of the residual blocks, see :func:`zoo.nn.folded.run`;
                where gradients are wanted, of all but the last layer.

        Returns:
            ``(B, 3, H, W)`` in [-0.09, 1.09]: the paper's tanh, scaled so that it reaches black
            and white before it saturates. Unbounded, about [0, 1].
        """
        if torch.is_grad_enabled() or self.published or len(images) > 1:
            with autocast(images.device, precision):
                x = self.features(2 * images - 1, mix)
            x = self.last(x.float()).float()
        else:
            x = folded.run(self.layers(mix), images, precision)
        if not self.bounded:
            return x
        made = torch.tanh(x)
        if torch.is_grad_enabled() and not self.published:
            # Differs from the paper: what is added is 0 and has a gradient. Without it, areas that
            # have once turned wholly black or white learn nothing more and stay so.
            made = made + SLOPE * (x - x.detach())
        return 0.5 + 150 / 255 * made

    def layers(self, mix: Tensor) -> folded.Layers:
        """The convolutions, and what the styles of ``mix`` ``(1, styles)`` scale and shift by."""
        down, up = (
            [
                (cast(nn.Conv2d, layer), cast(StyleNorm, norm).affine(mix))
                for layer, norm in zip(convs, norms, strict=True)
            ]
            for convs, norms in ((self.down, self.down_norms), (self.up, self.up_norms))
        )
        inner = [
            (cast(nn.Conv2d, layer), cast(StyleNorm, norm))
            for layer, norm in zip(self.blocks, self.block_norms, strict=True)
        ]
        blocks = [
            (first, norm.affine(mix), second, last.affine(mix))
            for (first, norm), (second, last) in zip(inner[::2], inner[1::2], strict=True)
        ]
        return folded.Layers(down, blocks, up, self.last)

    def features(self, x: Tensor, mix: Tensor) -> Tensor:
        """All layers but the last: ``(B, 3, H, W)`` in [-1, 1] to ``(B, width, H, W)``."""
        if self.published:
            x = F.pad(x, (40, 40, 40, 40), mode="reflect")
        for convolve, norm in zip(self.down, self.down_norms, strict=True):
            x = F.relu(norm(convolve(x), mix))
        for i in range(0, len(self.blocks), 2):
            y = F.relu(self.block_norms[i](self.blocks[i](x), mix))
            y = self.block_norms[i + 1](self.blocks[i + 1](y), mix)
            x = y + (x[..., 2:-2, 2:-2] if self.published else x)
        for convolve, norm in zip(self.up, self.up_norms, strict=True):
            x = F.relu(norm(convolve(x if self.published else doubled(x)), mix))
        return x


def zero_padded(
    inputs: int, outputs: int, kernel: int = 3, stride: int = 1, *, bias: bool = True
) -> nn.Conv2d:
    """As :func:`conv`, with zeros at the border."""
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=bias)


def unpadded(inputs: int, outputs: int, *, bias: bool = True) -> nn.Conv2d:
    """A 3×3 convolution that loses a pixel on each side."""
    return nn.Conv2d(inputs, outputs, 3, bias=bias)


def transposed(inputs: int, outputs: int, *, bias: bool = True) -> nn.ConvTranspose2d:
    """A 3×3 transposed convolution that doubles the size."""
    return nn.ConvTranspose2d(inputs, outputs, 3, 2, padding=1, output_padding=1, bias=bias)


class Doubled(nn.Module):
    """:func:`doubled` as a layer."""

    def forward(self, features: Tensor) -> Tensor:
        """Map ``(B, C, H, W)`` to ``(B, C, 2H, 2W)``."""
        return doubled(features)


def decoder(level: int, width: int = 64, *, short: bool = False) -> nn.Sequential:
    """Mirror of VGG-19 from relu{level}_1 back to an RGB picture, without norms.

    Args:
        level: 1 to 4; the input has ``min(64 · 2^(level-1), 512)`` channels at
            ``1 / 2^(level-1)`` of the size.
        width: Channels of the last stage; the earlier ones have twice and four times as many.
            64 mirrors the encoder.
        short: One convolution before the first resize: the encoder ends at the first of its stage.

    Returns:
        Layers that map features to ``(B, 3, H, W)``, in [0, 1] but for what training left over.
    """
    channels = {1: 64, 2: 128, 3: 256, 4: 512}[level]
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for stage in range(level, 1, -1):
        inner = width * 2 ** (stage - 1)
        narrow = width * 2 ** (stage - 2)
        convs = {4: 1, 3: 4, 2: 2}[stage]  # of the encoder's stage, as many on the way back
        if short and stage == level:
            convs = 1
        for number in range(convs, 0, -1):
            outputs = narrow if number == 1 else inner
            layers[f"conv{stage}_{number}"] = conv(channels, outputs)
            layers[f"relu{stage}_{number}"] = nn.ReLU()
            channels = outputs
        layers[f"up{stage - 1}"] = Doubled()
    if level > 1:
        layers["conv1_2"] = conv(channels, width)
        layers["relu1_2"] = nn.ReLU()
        channels = width
    layers["conv1_1"] = conv(channels, 3)
    for layer in layers.values():
        if isinstance(layer, nn.Conv2d):
            # Keeps the signal's size through the ReLUs; torch's own start loses it in ten layers,
            # and training then spends its first thousand steps on finding the picture at all.
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    with torch.no_grad():
        layers["conv1_1"].weight.mul_(0.1)  # type: ignore[operator]
        layers["conv1_1"].bias.fill_(0.5)  # type: ignore[operator]
    return nn.Sequential(layers)


class Pool(NamedTuple):
    """What a max-pooling forgets: where each maximum was, and the size before."""

    indices: Tensor
    size: tuple[int, int]


def encode(encoder: VGG19, images: Tensor, level: int) -> tuple[Tensor, list[Pool]]:
    """Features at relu{level}_1 as the papers with decoders take them: reflected at the border.

    The shared encoder pads with zeros, as it was trained. Features then see a black frame around
    the picture, and a decoder faithfully paints its shadow.

    Args:
        encoder: VGG-19.
        images: ``(B, 3, H, W)`` in [0, 1].
        level: 1 to 4.

    Returns:
        Features in the encoder's precision, and the pools on the way to them.
    """
    return encode_levels(encoder, images, (level,))[level]


def encode_levels(
    encoder: VGG19, images: Tensor, levels: Sequence[int]
) -> dict[int, tuple[Tensor, list[Pool]]]:
    """What :func:`encode` returns for each of ``levels``, in one pass; no other is kept."""
    deepest = max(levels)
    x = F.conv2d(images.float() - encoder.mean.float(), encoder.matrix.float())
    x = x.to(encoder.mean.dtype, memory_format=torch.channels_last)
    pools: list[Pool] = []
    found = {}
    for stage in range(1, deepest + 1):
        for number in range(1, CONVS_PER_STAGE[stage - 1] + 1 if stage < deepest else 2):
            layer = cast(nn.Conv2d, encoder.convs[f"{stage}_{number}"])
            padded = F.pad(x, (1, 1, 1, 1), mode="reflect")
            x = F.relu(F.conv2d(padded, layer.weight, layer.bias))
            if number == 1 and stage in levels:
                found[stage] = x, list(pools)
        if stage < deepest:
            size = (x.shape[2], x.shape[3])
            x, indices = F.max_pool2d(x, 2, return_indices=True)
            pools.append(Pool(indices, size))
    return found


def autocast(device: torch.device, precision: torch.dtype) -> AbstractContextManager[object]:
    """Run what is inside in ``precision``; statistics and the last layer belong outside.

    bfloat16 has steps of 1/256 below 1, so a picture that comes out of it has bands.
    """
    if precision == torch.float32:
        return nullcontext()  # not a disabled autocast, which would end the one of a training
    return torch.autocast(device.type, precision)
