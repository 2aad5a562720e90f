"""Discriminators: networks that training needs and a checkpoint does not hold."""

from torch import Tensor, nn
from torch.nn import functional as F

from zoo.nn.translation import Norm, block


def patches(
    width: int = 64, layers: int = 3, norm: Norm = "instance", inputs: int = 3
) -> nn.Sequential:
    """Judge overlapping patches, 70 × 70 pixels with three layers (Isola et al., arXiv:1611.07004).

    Args:
        width: Channels of the first layer; they double up to eight times as many.
        layers: How many of stride 2.
        norm: Of all layers but the first and the last.
        inputs: Channels of the pictures.

    Returns:
        Layers that map ``(B, inputs, H, W)`` in [-1, 1] to scores ``(B, 1, h, w)``, without
        sigmoid; 256 pixels become 30.
    """

    def layer(before: int, after: int, stride: int, norm: Norm) -> nn.Sequential:
        return block(before, after, 4, stride, norm=norm, activation="leaky", reflect=False)

    rows: list[nn.Module] = [layer(inputs, width, 2, "none")]
    channels = width
    for number in range(1, layers + 1):
        after = width * min(2**number, 8)
        rows.append(layer(channels, after, 2 if number < layers else 1, norm))
        channels = after
    rows.append(nn.Conv2d(channels, 1, 4, padding=1))
    return nn.Sequential(*rows)


class MultiScale(nn.Module):
    """Judge a picture at several sizes, each half the one before.

    Args:
        width: Channels of the first layer; they double with each.
        scales: How many sizes.
        layers: How many of stride 2 at each size.
        norm: Of all layers but the first and the last.
        slope: Of the activations below 0.
    """

    def __init__(
        self,
        width: int = 64,
        scales: int = 3,
        layers: int = 4,
        norm: Norm = "none",
        slope: float = 0.2,
    ) -> None:
        super().__init__()
        self.scales = nn.ModuleList()
        for _ in range(scales):
            rows: list[nn.Module] = []
            channels = 3
            for number in range(layers):
                after = width * 2**number
                rows.append(
                    block(
                        channels,
                        after,
                        4,
                        2,
                        norm=norm if number else "none",
                        activation="leaky",
                        slope=slope,
                    )
                )
                channels = after
            rows.append(nn.Conv2d(channels, 1, 1))
            self.scales.append(nn.Sequential(*rows))

    def forward(self, images: Tensor) -> list[Tensor]:
        """Map ``(B, 3, H, W)`` in [-1, 1] to scores ``(B, 1, h, w)`` of each size."""
        scores = []
        for number, judge in enumerate(self.scales):
            if number:
                images = F.avg_pool2d(images, 3, 2, 1, count_include_pad=False)
            scores.append(judge(images))
        return scores
