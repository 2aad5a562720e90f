from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from tests.training.toys import moved_by_a_step, recipe_of, run_in, trainer_of
from training.drit import DRITTrainer, content_judge
from zoo.methods.drit import Mode
from zoo.nn.translation import Norm


def trainer(photos: Path, paintings: Path, folder: Path, **changes: object) -> DRITTrainer:
    made = trainer_of("drit", recipe_of("drit", photos, paintings, **changes), run_in(folder))
    assert isinstance(made, DRITTrainer)
    return made


@pytest.mark.parametrize("norm", ["none", "instance"])
@pytest.mark.parametrize("spectral", [False, True])
def test_the_discriminators_have_the_norms_that_were_asked_for(
    photos: Path, paintings: Path, tmp_path: Path, norm: Norm, spectral: bool
) -> None:
    made = trainer(
        photos, paintings, tmp_path / "run", discriminator_norm=norm, spectral=spectral, size=64,
        load_size=64, discriminator_scales=3,
    )  # fmt: skip
    judges = [*made.judges.values(), made.content_judge]
    norms = [m for judge in judges for m in judge.modules() if isinstance(m, nn.InstanceNorm2d)]
    bounded = [m for judge in judges for m in judge.modules() if parametrize.is_parametrized(m)]
    # Four discriminators of three sizes with layers 2 to 4 of four, and one layer on contents.
    assert len(norms) == (4 * 3 * 3 + 1 if norm == "instance" else 0)
    # All four layers and the last one; on contents three.
    assert len(bounded) == (4 * 3 * 5 + 3 if spectral else 0)


@pytest.mark.parametrize(
    ("size", "strided", "left"),
    [(216, 3, 1), (256, 3, 2), (128, 2, 2), (96, 2, 1), (64, 1, 3), (32, 0, 5)],
)
def test_contents_of_smaller_crops_have_a_discriminator_too(
    size: int, strided: int, left: int
) -> None:
    judge = content_judge(4, size)
    convs = [m for m in judge.modules() if isinstance(m, nn.Conv2d)]
    assert [c.stride[0] for c in convs] == [*strided * [2], 1, 1]
    assert judge(torch.rand(1, 4, size // 4, size // 4)).shape == (1, 1, left, left)


def test_the_published_discriminator_of_contents_has_the_papers_layers() -> None:
    with torch.device("meta"):
        judge = content_judge(256, 216)
    convs = [m for m in judge.modules() if isinstance(m, nn.Conv2d)]
    assert [(c.kernel_size[0], c.stride[0], c.padding[0], c.out_channels) for c in convs] == [
        *3 * [(7, 2, 1, 256)],
        (4, 1, 0, 256),
        (1, 1, 0, 1),
    ]


@pytest.mark.parametrize(
    ("mode", "published", "spectral"), [("concat", True, False), ("feature", False, True)]
)
def test_a_step_moves_all_sides_and_breaks_no_graph(
    photos: Path, paintings: Path, tmp_path: Path, mode: Mode, published: bool, spectral: bool
) -> None:
    made = trainer(
        photos, paintings, tmp_path / "run", mode=mode, published=published, spectral=spectral,
        batch_size=3,
    )  # fmt: skip
    sides = (made.method, made.content_judge, *made.judges.values())
    assert min(moved_by_a_step(made, sides)) > 0.9


def test_the_regression_of_drawn_codes_leaves_the_attribute_encoders_alone(
    photos: Path, paintings: Path, tmp_path: Path
) -> None:
    others = ("content", "cycle", "reconstruction", "shrink", "prior", "mode_seeking")
    alone = {f"{name}_weight": 0.0 for name in others}
    weights = {}
    for latent in (0.0, 100.0):
        made = trainer(
            photos, paintings, tmp_path / "run", **alone, latent_weight=latent, weight_decay=0.0
        )
        gradients: dict[str, float] = {}

        def note(
            optimizer: object, made: DRITTrainer = made, to: dict[str, float] = gradients
        ) -> None:
            if optimizer is made.forgers:
                for name, p in made.method.named_parameters():
                    to[name] = 0.0 if p.grad is None else float(p.grad.abs().sum())

        made.apply = note  # type: ignore[method-assign]
        made.step()
        weights[latent] = gradients
    for name, value in weights[0.0].items():
        if "attribute_encoder" in name:
            assert value == pytest.approx(weights[100.0][name], rel=1e-4, abs=1e-12), name
    changed = [n for n, v in weights[0.0].items() if v != weights[100.0][n]]
    assert any("content_encoder" in n for n in changed)
    assert any("generator" in n for n in changed)


def test_half_of_a_batch_is_translated(photos: Path, paintings: Path, tmp_path: Path) -> None:
    made = trainer(photos, paintings, tmp_path / "run", batch_size=4)
    seen: list[int] = []
    made.net.networks["A"].content_encoder.register_forward_pre_hook(  # type: ignore[union-attr]
        lambda module, given: seen.append(len(given[0]))
    )
    made.step()
    assert seen == [2, 2, 2, 2]  # twice for the contents alone, then there and back


def test_discriminators_learn_first_on_what_trained_networks_make(
    photos: Path, paintings: Path, tmp_path: Path
) -> None:
    made = trainer(photos, paintings, tmp_path / "run", batch_size=4, judge_warmup=1)
    seen: dict[str, Tensor] = {}
    for name, judge in made.judges.items():
        judge.register_forward_pre_hook(lambda _, given, name=name: seen.update({name: given[0]}))
    before = [p.clone() for p in made.method.parameters()]
    judges = [p.clone() for judge in made.judges.values() for p in judge.parameters()]
    assert made.step().keys() == {"discriminators"}
    assert all(map(torch.equal, made.method.parameters(), before))
    moved = [p for judge in made.judges.values() for p in judge.parameters()]
    assert not any(map(torch.equal, moved, judges))
    real_a, real_b = made.pictures(2)
    torch.testing.assert_close(seen["judge_a"][:2], real_a[1::2])
    torch.testing.assert_close(seen["judge_random_b"][:2], real_b[::2])
    with torch.no_grad():
        content = made.encode_content(real_a[1::2], "A", "content_A")
        code, _ = made.encode_attribute(real_b[1::2], "B", "code_B")
        drawn = made.normal("drawn", made.net.code_size)[1::2]
        wanted = [(content, each, real_a[1::2]) for each in (code, drawn)]
        guided, random = made.decode("B", wanted)
    torch.testing.assert_close(seen["judge_b"][2:], guided)
    torch.testing.assert_close(seen["judge_random_b"][2:], random)
    made.done = 1
    assert "total" in made.step()
