"""Layers that the generators of image-to-image translation are built from, and how they start.

CycleGAN, MUNIT, DRIT and CartoonGAN, and the discriminators that train them, are rows of one kind
of block: a convolution, a normalisation and an activation.
"""

from collections.abc import Callable
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from zoo.nn.blocks import Doubled, instance_norm, transposed

Norm = Literal["none", "instance", "affine", "layer", "batch"]
Activation = Literal["none", "relu", "leaky"]


class InstanceNorm(nn.InstanceNorm2d):
    """Instance normalisation that keeps channels last; without parameters unless asked."""

    def forward(self, features: Tensor) -> Tensor:
        """Map ``(B, C, H, W)``."""
        return instance_norm(features, self.weight, self.bias, self.eps)


class LayerNorm(nn.GroupNorm):
    """Normalisation of a whole feature map, with a scale and a shift for each channel.

    Unlike instance normalisation it keeps the proportions between channels, in which a decoder
    that a style code drives carries the style.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(1, channels)


NORMS: dict[Norm, Callable[[int], nn.Module]] = {
    "instance": InstanceNorm,
    "affine": lambda channels: InstanceNorm(channels, affine=True),
    "layer": LayerNorm,
    "batch": nn.BatchNorm2d,
}


def block(
    inputs: int,
    outputs: int,
    kernel: int = 3,
    stride: int = 1,
    *,
    norm: Norm = "instance",
    activation: Activation = "relu",
    slope: float = 0.2,
    padding: int | None = None,
    reflect: bool = True,
    bias: bool = True,
) -> nn.Sequential:
    """A convolution, a normalisation and an activation.

    Args:
        inputs: Channels that come in.
        outputs: Channels that go out.
        kernel: Side of the kernel.
        stride: What the size is divided by.
        norm: ``instance`` has no parameters, ``affine`` is the same with scale and shift.
        activation: After the normalisation.
        slope: Of ``leaky`` below 0.
        padding: Pixels on each side; else what divides the size by the stride.
        reflect: The border is a mirror; else it is zeros, a dark frame until it is unlearned.
        bias: Idle before an instance normalisation, but released weights have it.
    """
    layer = nn.Conv2d(
        inputs,
        outputs,
        kernel,
        stride,
        (kernel - 1) // 2 if padding is None else padding,
        bias=bias,
        padding_mode="reflect" if reflect else "zeros",
    )
    return _finished(layer, outputs, norm, activation, slope)


def enlarge(
    inputs: int,
    outputs: int,
    kernel: int = 3,
    *,
    norm: Norm = "instance",
    activation: Activation = "relu",
    bias: bool = True,
    published: bool = False,
) -> nn.Sequential:
    """A block that doubles the size: resize, then convolve.

    ``published`` takes a 3×3 transposed convolution instead, whose kernels overlap unevenly and
    leave a checkerboard.
    """
    if published:
        layer = transposed(inputs, outputs, bias=bias)
        return _finished(layer, outputs, norm, activation)
    rest = block(inputs, outputs, kernel, norm=norm, activation=activation, bias=bias)
    return nn.Sequential(Doubled(), *rest)


class Residual(nn.Module):
    """Two blocks, or ``convs``, and the way around them; nothing is activated after the sum."""

    def __init__(
        self,
        channels: int,
        *,
        norm: Norm = "instance",
        reflect: bool = True,
        bias: bool = True,
        convs: int = 2,
    ) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(
                block(channels, channels, norm=norm, reflect=reflect, bias=bias)
                for _ in range(convs - 1)
            ),
            block(channels, channels, norm=norm, activation="none", reflect=reflect, bias=bias),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map ``(B, C, H, W)``, at least 2 pixels a side where borders are mirrored."""
        return features + cast(Tensor, self.body(features))


def _finished(
    layer: nn.Module, outputs: int, norm: Norm, activation: Activation, slope: float = 0.2
) -> nn.Sequential:
    layers = [layer]
    if norm != "none":
        layers.append(NORMS[norm](outputs))
    if activation != "none":
        layers.append(nn.ReLU() if activation == "relu" else nn.LeakyReLU(slope))
    return nn.Sequential(*layers)


WITH_WEIGHTS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


@torch.no_grad()
def initialise(
    network: nn.Module,
    weights: Literal["normal", "kaiming"] = "normal",
    *,
    deviation: float = 0.02,
    scales: Literal["ones", "uniform", "normal"] = "ones",
) -> None:
    """Draw fresh weights; biases and shifts become 0. Call it before :func:`spectral`.

    Args:
        network: All its convolutions, linear layers and normalisations.
        weights: N(0, deviation²), or N(0, 2 / fan-in), which keeps the signal through ReLUs.
        deviation: Of ``normal``.
        scales: Of normalisations: 1, U(0, 1) or N(1, deviation²).
    """
    for module in network.modules():
        if isinstance(module, WITH_WEIGHTS):
            if weights == "normal":
                nn.init.normal_(module.weight, 0, deviation)
            else:
                nn.init.kaiming_normal_(module.weight)
        elif isinstance(module, nn.InstanceNorm2d | nn.GroupNorm | nn.BatchNorm2d) and (
            module.affine
        ):
            if scales == "uniform":
                nn.init.uniform_(module.weight)
            elif scales == "normal":
                nn.init.normal_(module.weight, 1, deviation)
            else:
                nn.init.ones_(module.weight)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def picture(made: Tensor, base: Tensor | None = None) -> Tensor:
    """The last step of a generator, a tanh: ``(B, 3, H, W)`` of any value to [-1, 1].

    Args:
        made: By the last layer.
        base: A picture in [-1, 1] that ``made`` is a change of. A small network then keeps every
            detail of it instead of having to draw it again. No published generator does so.
    """
    if base is not None:  # black and white would need infinite values
        made = made + base.float().clamp(-0.99, 0.99).atanh()
    return torch.tanh(made)


def spectral(network: nn.Module) -> None:
    """Divide every convolution's and linear layer's weights by their largest singular value.

    Miyato et al. (arXiv:1802.05957): a discriminator so bounded gives gradients that do not vanish
    when it wins.
    """
    for module in list(network.modules()):
        if isinstance(module, WITH_WEIGHTS):
            spectral_norm(module)
