"""Taking the norms of a trained CycleGAN away."""

from pathlib import Path
from typing import cast

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor

from training.data import Stream, pack
from training.unnormed import fold, imitate, main, scaled
from zoo import checkpoint
from zoo.errors import InputError
from zoo.methods.adain import AdaIN
from zoo.methods.cyclegan import CycleGAN, CycleGANConfig, Generator
from zoo.nn.translation import initialise


def generators(seed: int = 0) -> tuple[Generator, Generator]:
    """One with norms that has learned something, and one without."""
    torch.manual_seed(seed)
    normed, plain = Generator(8, 2), Generator(8, 2, norm="none")
    initialise(normed, deviation=0.3)
    initialise(plain, "kaiming")
    return normed, plain


def crops(photos: Path, tmp_path: Path, count: int) -> Tensor:
    stream = Stream(pack(photos, tmp_path / "pack", 40), 32, count, 0, 0, 1)
    return scaled(stream.batch(0))


def test_norms_of_one_picture_are_folded_exactly(photos: Path, tmp_path: Path) -> None:
    normed, plain = generators()
    picture = crops(photos, tmp_path, 1)
    fold(normed, plain, picture)
    with torch.no_grad():
        torch.testing.assert_close(plain(picture), normed(picture), atol=0.01, rtol=0)
        darker = 0.5 * picture - 0.5
        assert (plain(darker) - normed(darker)).abs().mean() > 0.01


def test_imitation_comes_nearer_to_what_norms_made(photos: Path, tmp_path: Path) -> None:
    normed, plain = generators()
    pictures = crops(photos, tmp_path, 4)
    fold(normed, plain, pictures)
    with torch.no_grad():
        wanted = normed(pictures)
        before = (plain(pictures) - wanted).abs().mean()
        weights = [p.clone() for p in normed.parameters()]
    imitate(normed, plain, iter([pictures] * 60), 60)
    assert all(map(torch.equal, normed.parameters(), weights))
    with torch.no_grad():
        assert (plain(pictures) - wanted).abs().mean() < 0.7 * before


def test_the_command_makes_a_start_for_training(
    photos: Path, paintings: Path, tmp_path: Path
) -> None:
    method = CycleGAN(CycleGANConfig(width=4, blocks=1, domains=("photo", "painting")))
    checkpoint.save(method, tmp_path / "trained")
    words = [str(tmp_path / "trained"), str(tmp_path / "out"), "--steps", "1"]
    words += ["--domain-a", str(photos), "--domain-b", str(paintings)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    made = cast(CycleGAN, checkpoint.load(tmp_path / "out"))
    assert made.config.norm == "none"
    assert tuple(made.config.domains) == ("photo", "painting")
    again = CliRunner().invoke(main, words)
    assert again.exit_code
    assert "choose another name" in again.stderr


@pytest.mark.parametrize(
    ("method", "told"),
    [
        (CycleGAN(CycleGANConfig(width=4, blocks=1, norm="none")), "no instance normalisation"),
        (CycleGAN(CycleGANConfig(width=4, blocks=1, published=True)), "as published"),
        (AdaIN(), "only a CycleGAN"),
    ],
)
def test_others_are_refused(
    method: CycleGAN | AdaIN, told: str, photos: Path, tmp_path: Path
) -> None:
    checkpoint.save(method, tmp_path / "trained")
    words = [str(tmp_path / "trained"), str(tmp_path / "out")]
    done = CliRunner().invoke(main, [*words, "--domain-a", str(photos), "--domain-b", str(photos)])
    assert done.exit_code
    assert told in done.stderr
    assert not (tmp_path / "out").exists()


def test_weights_that_overflow_are_told() -> None:
    normed, plain = generators()
    with torch.no_grad():
        plain.last.weight.fill_(float("nan"))
    with pytest.raises(InputError, match="overflow"):
        imitate(normed, plain, iter([torch.zeros(1, 3, 32, 32)]), 1)
