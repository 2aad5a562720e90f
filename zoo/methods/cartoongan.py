"""CartoonGAN: photos as frames of a cartoon, and hazy photos as clear ones or the other way.

Source: Chen, Lai & Liu, CartoonGAN: Generative Adversarial Networks for Photo Cartoonization
(CVPR 2018), with the layers of the code that the authors published. No cartoon shows what a photo
shows. A network first learns to give back what a deep layer of VGG-19 sees in the photo; then a
discriminator asks for flat colours and clear edges, which it knows because it was also shown
cartoons whose edges had been smoothed away.

Where pairs of pictures are at hand, such as hazy and clear ones, the same network learns to make
one of the other.
"""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from zoo.method import Content, Method, Paper, Strength
from zoo.nn.blocks import autocast, conv
from zoo.nn.translation import InstanceNorm, Residual, block, enlarge, picture


@dataclass(frozen=True, kw_only=True)
class CartoonGANConfig:
    """What the weights are.

    Args:
        width: Channels of the first layer; 64 in the paper.
        blocks: Residual blocks; 8 in the paper.
        convs_per_block: Convolutions in each of them; 2 in the paper.
        look: What people call what it does to a photo.
        skip: The network makes a change that is added to the photo, not a whole picture.
        published: The network as published, with transposed convolutions, zeros at the border of
            the resizing layers and biases that the normalisation cancels.
        epsilon: What normalisations add to the variance.
    """

    width: int = 64
    blocks: int = 8
    convs_per_block: int = 2
    look: str = ""
    skip: bool = False
    published: bool = False
    epsilon: float = 1e-5


class Generator(nn.Module):
    """Halve the size twice, change, and double it twice; every change of size is two convolutions.

    Differs from the paper: unless ``published`` is set, features are resized before they are
    convolved and every border is a mirror. Transposed convolutions leave a checkerboard, zeros a
    frame. The layers and all other sizes are the paper's.

    Differs from the paper [skip]: what is made is a change that is added to the photo, for
    restoring; see :func:`zoo.nn.translation.picture`.
    """

    def __init__(self, config: CartoonGANConfig) -> None:
        super().__init__()
        self.skip = config.skip
        w, published = config.width, config.published

        def smooth(channels: int) -> nn.Sequential:
            return block(channels, channels, norm="affine", reflect=not published, bias=published)

        # Nothing is normalised or activated between the two convolutions of a change of size: the
        # second one can smooth over what the first one left uneven.
        def halve(channels: int) -> nn.Sequential:
            first = block(
                channels,
                2 * channels,
                stride=2,
                norm="none",
                activation="none",
                reflect=not published,
                bias=published,
            )
            return nn.Sequential(first, smooth(2 * channels))

        def double(channels: int) -> nn.Sequential:
            first = enlarge(
                channels,
                channels // 2,
                norm="none",
                activation="none",
                bias=published,
                published=published,
            )
            return nn.Sequential(first, smooth(channels // 2))

        convs = config.convs_per_block
        self.body = nn.Sequential(
            block(3, w, 7, norm="affine", bias=published),
            halve(w),
            halve(2 * w),
            *(
                Residual(4 * w, norm="affine", bias=published, convs=convs)
                for _ in range(config.blocks)
            ),
            double(4 * w),
            double(2 * w),
        )
        self.last = conv(w, 3, 7)
        for module in self.modules():
            if isinstance(module, InstanceNorm):
                module.eps = config.epsilon
            elif isinstance(module, Residual) and not published:
                # Where every border is a mirror, a shift at the end of a block survives until the
                # next normalisation only, so it would do nothing but drift.
                norm = cast(InstanceNorm, cast(nn.Sequential, module.body[-1])[1])
                norm.register_parameter("bias", None)

    def forward(self, images: Tensor, precision: torch.dtype = torch.float32) -> Tensor:
        """Repaint ``(B, 3, H, W)`` in [-1, 1] to the same; 4 divides H and W, at least 8.

        Args:
            images: What to repaint.
            precision: Of all but the last layer.
        """
        with autocast(images.device, precision):
            features = self.body(images)
        return picture(self.last(features.float()).float(), images if self.skip else None)


class CartoonGAN(Method):
    """One network for one look: the checkpoint is the cartoon, or the clear air."""

    name = "cartoongan"
    title = "CartoonGAN"
    summary = "Redraws a photo as a frame of a cartoon; another checkpoint takes haze away."
    paper = Paper(
        "CartoonGAN: Generative Adversarial Networks for Photo Cartoonization",
        "Yang Chen, Yu-Kun Lai, Yong-Jin Liu",
        2018,
        page="https://openaccess.thecvf.com/content_cvpr_2018/html/"
        "Chen_CartoonGAN_Generative_Adversarial_CVPR_2018_paper.html",
    )
    checkpoint = "zoo/cartoongan"
    Config = CartoonGANConfig
    multiple = 8  # the innermost features then have the two pixels that a mirror needs
    bf16 = True
    config: CartoonGANConfig

    def __init__(self, config: CartoonGANConfig = CartoonGANConfig()) -> None:
        super().__init__(config)
        self.generator = Generator(config)

    @classmethod
    def style_of(cls, config: CartoonGANConfig) -> str:
        """The look."""
        return config.look

    def forward(self, content: Content, *, strength: Strength = 1.0) -> Tensor:
        """Repaint ``content`` in one pass."""
        result = 0.5 + 0.5 * self.generator(2 * content - 1, self.precision)
        return torch.lerp(content, result, strength)
