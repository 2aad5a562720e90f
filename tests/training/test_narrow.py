"""Narrowing of trained networks."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor

from training.narrow import main, narrowed
from zoo import checkpoint
from zoo.errors import InputError
from zoo.methods.adain import AdaIN
from zoo.methods.johnson import Johnson, JohnsonConfig
from zoo.methods.many_styles import ManyStyles, ManyStylesConfig


def crops(count: int, size: int = 64) -> Tensor:
    """Smooth pictures with grain: ``(B, 3, size, size)`` in [0, 1]."""
    torch.manual_seed(1)
    rough = torch.rand(count, 3, size // 16, size // 16)
    smooth = torch.nn.functional.interpolate(rough, size=(size, size), mode="bicubic")
    return (smooth + 0.05 * torch.randn(count, 3, size, size)).clamp(0, 1)


def of_styles(**settings: bool) -> ManyStyles:
    """An untrained network of three styles that differ."""
    torch.manual_seed(0)
    names, colors = ("a", "b", "c"), ((0.1, 0.1, 0.1), (0.2, 0.2, 0.2), (0.3, 0.3, 0.3))
    config = ManyStylesConfig(
        styles=names, colors=colors, contrasts=(0.1, 0.2, 0.3), width=4, **settings
    )
    method = ManyStyles(config)
    for name, parameter in method.named_parameters():
        if "norms" in name:
            parameter.data.add_(0.3 * torch.randn_like(parameter))
    return method


@torch.no_grad()
def distance(one: Tensor, other: Tensor) -> float:
    return float((one - other).square().mean())


@pytest.mark.parametrize("loose", [False, True])
@torch.no_grad()
def test_at_its_own_width_a_network_stays_what_it_is(loose: bool) -> None:
    method, photos = of_styles(loose=loose), crops(12)
    small = narrowed(method, 4, ("c", "a"), photos)
    assert isinstance(small, ManyStyles)
    assert small.config == replace(
        method.config,
        styles=("c", "a"),
        colors=((0.3, 0.3, 0.3), (0.1, 0.1, 0.1)),
        contrasts=(0.3, 0.1),
    )
    fresh = crops(14)[12:]
    for number, before in enumerate((2, 0)):
        wanted = method(fresh, painting=before)
        assert distance(small(fresh, painting=number), wanted) < 1e-3
        assert distance(method(fresh, painting=1), wanted) > 1e-2  # styles do differ


@torch.no_grad()
def test_what_is_left_is_fitted_to_what_the_whole_network_made() -> None:
    method = checkpoint.load(checkpoint.SHIPPED / "johnson-udnie")
    assert isinstance(method, Johnson)
    photos = crops(16, 128)
    small = narrowed(method, 10, (), photos[:12])
    assert isinstance(small, Johnson)
    assert small.config == replace(method.config, width=10)
    wanted = method(photos[12:])
    untrained = Johnson(small.config)(photos[12:])
    assert distance(small(photos[12:]), wanted) < 0.3 * distance(untrained, wanted)


def test_what_does_not_fit_is_told() -> None:
    photos = crops(2)
    with pytest.raises(InputError, match="width: 5 is more than the network's 4"):
        narrowed(of_styles(), 5, (), photos)
    with pytest.raises(InputError, match="has not learned d; it knows a, b, c"):
        narrowed(of_styles(), 2, ("d",), photos)
    with pytest.raises(InputError, match="as published"):
        narrowed(Johnson(JohnsonConfig(width=4, published=True)), 2, (), photos)


def test_the_command_writes_a_checkpoint_to_start_from(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where packs are kept
    wide, out = tmp_path / "wide", tmp_path / "small"
    checkpoint.save(of_styles(loose=True), wide)
    words = [str(wide), str(out), "--photos", str(photos), "--width", "2", "--style", "b"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    again = CliRunner().invoke(main, words)
    assert again.exit_code == 2
    assert "is there already" in again.output
    made = checkpoint.load(out).config
    assert isinstance(made, ManyStylesConfig)
    assert (made.width, tuple(made.styles), made.loose) == (2, ("b",), True)

    checkpoint.save(AdaIN(), tmp_path / "adain")
    words[0], words[1] = str(tmp_path / "adain"), str(tmp_path / "other")
    refused = CliRunner().invoke(main, words)
    assert refused.exit_code == 2
    assert "AdaIN cannot be narrowed" in refused.output
