"""Gates that shipped weights pass, and that the same weights do not when they are broken."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training import faults
from zoo import checkpoint, images
from zoo.color import luminance
from zoo.method import Method
from zoo.methods.johnson import Johnson
from zoo.methods.many_styles import ManyStyles
from zoo.nn import blocks

EXAMPLES = Path(__file__).parents[2] / "space" / "examples"
PAIRS = (("pagoda", "hiroshige-river"), ("cat", "redon-vase"), ("astronaut", "van-gogh-bouquet"))
SHIPPED = sorted(path.parent for path in checkpoint.SHIPPED.glob("*/config.json"))
ANY_STYLE = [f for f in SHIPPED if checkpoint.read_config(f)["method"] in ("adain", "style_swap")]
BY_HEART = [f for f in SHIPPED if checkpoint.read_config(f)["method"] in ("johnson", "many_styles")]

GATES = ("checkerboard", "frame", "color_drift", "contrast")


def picture(path: str, size: int = 256) -> Tensor:
    opened = images.open_picture(EXAMPLES / f"{path}.jpg").image
    tensor = images.to_tensor(images.fit(opened, size))
    return tensor[..., : tensor.shape[2] // 8 * 8, : tensor.shape[3] // 8 * 8]


def framed(result: Tensor, content: Tensor) -> float:
    """The frame or line that a result has, as a share of what is let pass; the worse of them."""
    found = {"frame": faults.frame(result, content), "line": faults.frame(result, content, 1)}
    return max(value / (faults.BOUNDS[name].most or 0) for name, value in found.items())


@torch.no_grad()
def measured(method: Method) -> dict[str, float]:
    """Each fault over three pairs; drift and contrast of a photo in its own style.

    A method that knows its styles by heart is held to the colours and contrast of those.
    """
    found: dict[str, list[float]] = {name: [] for name in GATES}
    if isinstance(method, Johnson | ManyStyles):
        for result, content, color, luma in by_heart(method):
            found["checkerboard"].append(faults.checkerboard(result, content))
            found["frame"].append(framed(result, content))
            found["color_drift"].append(faults.color_drift(result, color))
            found["contrast"].append(float(luminance(result).std()) / luma)
        return {name: mean(values) for name, values in found.items()}
    for photo, style in PAIRS:
        content = picture(f"photos/{photo}")
        result = method(content, picture(f"paintings/{style}"))
        same = method(content, content)
        found["checkerboard"].append(faults.checkerboard(result, content))
        found["frame"].append(framed(result, content))
        found["color_drift"].append(faults.color_drift(same, content))
        found["contrast"].append(faults.contrast(same, content))
    return {name: mean(values) for name, values in found.items()}


def by_heart(method: Johnson | ManyStyles) -> Iterator[tuple[Tensor, Tensor, Tensor, float]]:
    """Results, what they were made of, and the mean colour and the contrast they should have."""
    if isinstance(method, Johnson):
        looks = [(method.config.color, method.config.contrast)]
        tried = [(0, photo) for photo, _ in PAIRS]
    else:
        looks = list(zip(method.config.colors, method.config.contrasts, strict=True))
        tried = [(number, PAIRS[number % len(PAIRS)][0]) for number in range(len(looks))]
    for number, photo in tried:
        content = picture(f"photos/{photo}")
        options = {"painting": number} if isinstance(method, ManyStyles) else {}
        color, luma = looks[number]
        yield method(content, **options), content, torch.tensor(color)[None, :, None, None], luma


def failed(method: Method) -> set[str]:
    bounds = dict(faults.bounds_of(method.name))
    bounds["frame"] = replace(bounds["frame"], most=1.0)  # of shares
    return {name for name, value in measured(method).items() if not bounds[name].passes(value)}


@pytest.mark.parametrize("folder", ANY_STYLE + BY_HEART, ids=lambda f: f.name)
def test_shipped_weights_have_none_of_the_known_faults(folder: Path) -> None:
    assert not failed(checkpoint.load(folder)), measured(checkpoint.load(folder))


def last(method: Any) -> nn.Conv2d:
    """The convolution that makes pixels."""
    return (
        method.transform.last if method.name in ("johnson", "many_styles") else method.decoder[-1]
    )


def tinted(method: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bias = last(method).bias
    assert bias is not None
    bias[1] += 0.5 if method.name in ("johnson", "many_styles") else 0.15  # before a tanh


def faded(method: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    last(method).weight.mul_(0.4)


def layer_by_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let residual networks run as they are written, not folded for speed."""
    forward = blocks.Transform.forward

    def written_out(self: blocks.Transform, *inputs: Any) -> Tensor:
        with torch.enable_grad():
            return forward(self, *inputs).detach()

    monkeypatch.setattr(blocks.Transform, "forward", written_out)


def padded_with_zeros(method: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    layer_by_layer(monkeypatch)
    for layer in method.modules():
        if isinstance(layer, nn.Conv2d):
            layer.padding_mode = "zeros"


def unevenly_doubled(method: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a transposed convolution with a kernel of 1 doubles: each value once, between zeros."""

    def sparse(features: Tensor) -> Tensor:
        mask = torch.tensor([[4.0, 0.0], [0.0, 0.0]]).repeat(features.shape[2:])
        return F.interpolate(features, scale_factor=2.0) * mask

    layer_by_layer(monkeypatch)
    monkeypatch.setattr(blocks, "doubled", sparse)


@pytest.mark.parametrize("folder", ANY_STYLE + BY_HEART, ids=lambda f: f.name)
@pytest.mark.parametrize(
    ("break_it", "fault"),
    [
        (tinted, "color_drift"),
        (faded, "contrast"),
        (padded_with_zeros, "frame"),
        (unevenly_doubled, "checkerboard"),
    ],
)
def test_broken_weights_are_caught(
    folder: Path,
    break_it: Callable[[Any, pytest.MonkeyPatch], None],
    fault: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    method = checkpoint.load(folder)
    with torch.no_grad():
        break_it(method, monkeypatch)
    assert fault in failed(method)


@pytest.mark.parametrize("folder", ANY_STYLE + BY_HEART, ids=lambda f: f.name)
def test_shipped_checkpoints_are_small_and_carded(folder: Path) -> None:
    assert sum(path.stat().st_size for path in folder.iterdir()) < 10e6
    card = (folder / "README.md").read_text()
    for words in ("Known limits", "Departures from the paper", "Recipe", "Measured"):
        assert words in card
