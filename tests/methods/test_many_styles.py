from pathlib import Path

import pytest
import torch

from training.many_styles import extended, norm_parameters
from zoo import checkpoint
from zoo.errors import CheckpointError, InputError
from zoo.methods import METHODS
from zoo.methods.johnson import Johnson, JohnsonConfig
from zoo.methods.many_styles import ManyStyles, ManyStylesConfig


@pytest.fixture
def method() -> ManyStyles:
    torch.manual_seed(0)
    method = ManyStyles(ManyStylesConfig(styles=("a", "b", "c"), width=4)).eval()
    method.requires_grad_(False)
    for parameter in norm_parameters(method):
        parameter.add_(0.3 * torch.randn_like(parameter))
    return method


def test_paintings_are_mixed_by_their_shares(method: ManyStyles) -> None:
    photo = torch.rand(1, 3, 32, 48)
    first, second = method(photo, painting=0), method(photo, painting=1)
    assert (first - second).abs().mean() > 1e-3
    assert torch.equal(method(photo, painting=2, style_weights=[0.0, 1.0, 0.0]), second)
    assert torch.equal(method(photo, painting=0, second_painting=1, second_share=1.0), second)
    same = method(photo, painting=1, second_painting=1, second_share=0.5)
    torch.testing.assert_close(same, second)
    between = method(photo, painting=0, second_painting=1, second_share=0.5)
    assert (between - first).abs().mean() > 1e-4
    assert (between - second).abs().mean() > 1e-4


def test_unknown_paintings_are_refused(method: ManyStyles) -> None:
    photo = torch.rand(1, 3, 32, 32)
    with pytest.raises(InputError, match="no painting 3 in this checkpoint; it has 0 to 2"):
        method(photo, painting=3)
    with pytest.raises(InputError, match="2 shares for 3"):
        method(photo, style_weights=[1.0, 1.0])
    method(photo, painting=0, second_painting=9)  # not used, so not looked at


def test_new_styles_start_as_the_mean_and_leave_the_others_alone(
    method: ManyStyles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METHODS, "many_styles", ManyStyles)
    checkpoint.save(method, tmp_path / "known")
    longer = extended(
        tmp_path / "known", ("d", "e"), ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6)), (0.2, 0.3)
    ).eval()
    assert longer.config.styles == ("a", "b", "c", "d", "e")
    assert longer.config.colors[-1] == (0.4, 0.5, 0.6)
    photo = torch.rand(1, 3, 32, 32)
    for number in range(3):
        torch.testing.assert_close(longer(photo, painting=number), method(photo, painting=number))
    mean = method(photo, style_weights=[1.0, 1.0, 1.0])
    torch.testing.assert_close(longer(photo, painting=4), mean)


def test_styles_are_not_added_to_another_method(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METHODS, "johnson", Johnson)
    checkpoint.save(Johnson(JohnsonConfig(width=4)), tmp_path / "johnson")
    with pytest.raises(CheckpointError, match="Many styles only"):
        extended(tmp_path / "johnson", ("d",), ((0.5, 0.5, 0.5),), (0.2,))
