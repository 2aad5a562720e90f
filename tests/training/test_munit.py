from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from tests.training.toys import moved_by_a_step, recipe_of, run_in, trainer_of
from training.codes import (
    CodedTrainer,
    CodeFit,
    Prior,
    gate,
    guided_to_random,
    mode_seeking,
    spread,
    steadiness,
)
from training.data import pack
from training.loop import fit
from training.munit import MUNITRecipe, MUNITTrainer
from zoo import checkpoint, codes, images
from zoo.codes import Coded
from zoo.errors import CheckpointError, InputError
from zoo.method import Direction
from zoo.methods.munit import MUNIT
from zoo.nn.vgg import vgg19


def trainer(photos: Path, paintings: Path, folder: Path, **changes: object) -> MUNITTrainer:
    recipe = recipe_of("munit", photos, paintings, **{"judge_warmup": 0} | changes)
    made = trainer_of("munit", recipe, run_in(folder))
    assert isinstance(made, MUNITTrainer)
    return made


def test_the_defaults_are_the_papers() -> None:
    recipe = MUNITRecipe(domain_a=Path("a"), domain_b=Path("b"))
    assert recipe.rate(99_999) == 1e-4
    assert recipe.rate(100_000) == 5e-5
    assert recipe.rate(999_999) == 1e-4 / 2**9
    weights = recipe.reconstruction_weight, recipe.content_weight, recipe.style_weight
    assert (*weights, recipe.cycle_weight) == (10, 1, 1, 10)


@pytest.mark.parametrize(
    "changes",
    [
        {"cycle_weight": 0.0, "mode_seeking_weight": 0.0, "published": True},
        {
            "objective": "hinge",
            "spectral": True,
            "spectral_generators": True,
            "discriminator_rate": 4.0,
        },
    ],
)
def test_a_step_moves_both_sides_and_breaks_no_graph(
    photos: Path, paintings: Path, tmp_path: Path, changes: dict[str, object]
) -> None:
    made = trainer(photos, paintings, tmp_path / "run", **changes)
    # A hinge may leave a fresh last bias where it is.
    assert min(moved_by_a_step(made, (made.method, made.judge_a, made.judge_b))) >= 0.8
    bounded = [m for m in made.method.modules() if parametrize.is_parametrized(m)]
    assert bool(bounded) == bool(changes.get("spectral_generators"))
    assert made.sample().shape == (2 * 5 * made.columns, 3, 32, 32)


@pytest.mark.parametrize("guided", [0.0, 1.0])
def test_translations_can_take_the_styles_of_pictures(
    photos: Path, paintings: Path, tmp_path: Path, guided: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = trainer(photos, paintings, tmp_path / "run", guided=guided, cycle_weight=0.0)
    taken = []
    decode = made.decode

    def record(domain: str, wanted: Sequence[tuple[Tensor, ...]]) -> list[Tensor]:
        taken.append(wanted[0][1])
        return decode(domain, wanted)

    monkeypatch.setattr(made, "decode", record)
    with torch.no_grad():
        style = made.net_a.encode_style(made.reals(0)[0]).float()
    made.step()
    assert torch.allclose(taken[0], style, atol=1e-5) == bool(guided)


@pytest.mark.parametrize("method", ["munit", "drit"])
@pytest.mark.parametrize("skip", [False, True])
def test_the_last_steps_fit_the_last_layers_of_style_encoders(
    photos: Path, paintings: Path, tmp_path: Path, method: str, skip: bool
) -> None:
    changes = {"steps": 4, "codes_last": 3, "skip": skip, "batch_size": 4}
    if method == "munit":
        changes["judge_warmup"] = 0
    recipe = recipe_of(method, photos, paintings, **changes)
    made = trainer_of(method, recipe, run_in(tmp_path / "run"))
    assert "adversarial" in made.step()
    before = {name: p.clone() for name, p in made.method.named_parameters()}
    for done in (1, 2, 3):
        made.done = done
        assert set(made.step()) == {"style"}
        changed = [
            name
            for name, parameter in made.method.named_parameters()
            if not torch.equal(parameter, before[name])
        ]
        assert len(changed) == (4 if done == 3 else 0)
    assert all("style_encoder" in name or "attribute_encoder" in name for name in changed)
    shipped = dict(made.result.named_parameters())
    moved = dict(made.method.named_parameters())
    assert all(torch.equal(shipped[name], moved[name]) for name in changed)


def test_discriminators_learn_first_on_what_trained_generators_make(
    photos: Path, paintings: Path, tmp_path: Path
) -> None:
    made = trainer(photos, paintings, tmp_path / "run", judge_warmup=1, judge_extra=1)
    seen: list[Tensor] = []
    made.judge_b.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    before = [p.clone() for p in made.method.parameters()]
    assert made.step().keys() == {"discriminators"}
    assert all(map(torch.equal, made.method.parameters(), before))
    (told,) = seen
    reals, half = made.reals(1), 2 * made.recipe.batch_size
    torch.testing.assert_close(told[:half], reals[1])
    content = made.net_a.encode_content(reals[0])
    codes = made.normal("first_B", 2, len(made.prior_b.mean)).flatten(0, 1)
    (fakes,) = made.decode("B", [(content, codes, reals[0])])
    torch.testing.assert_close(told[half:], fakes)


@pytest.mark.parametrize(("name", "size"), [("munit", 9.0), ("drit", 9.0), ("drit", 0.1)])
def test_codes_of_pictures_begin_no_larger_than_drawn_ones(
    photos: Path, paintings: Path, tmp_path: Path, name: str, size: float
) -> None:
    made = trainer_of(name, recipe_of(name, photos, paintings), run_in(tmp_path / "run"))
    assert isinstance(made, CodedTrainer)
    pictures = [2 * picture - 1 for picture in made.a.pack.tensors(99)]

    def square(method: Any) -> float:
        with torch.no_grad():
            return float(torch.cat([method.encode_style(p, "A") for p in pictures]).square().mean())

    layer = made.last_layer(made.method, "A")
    with torch.no_grad():
        factor = (size / square(made.method)) ** 0.5
        layer.weight.mul_(factor)
        layer.bias.mul_(factor)  # type: ignore[union-attr]
    checkpoint.save(made.method, tmp_path / "start")
    recipe = recipe_of(name, photos, paintings, start_from=tmp_path / "start")
    again = trainer_of(name, recipe, run_in(tmp_path / "again"))
    for method in (again.method, again.result):
        assert square(method) == pytest.approx(min(1.0, size), rel=0.01)


def test_bounded_generators_begin_as_they_were_saved(
    photos: Path, paintings: Path, tmp_path: Path
) -> None:
    made = trainer(photos, paintings, tmp_path / "run", spectral_generators=True)
    assert isinstance(made.method, MUNIT)
    nn.init.constant_(cast(Tensor, made.last_layer(made.method, "A").bias), 9.0)  # far out
    checkpoint.save(made.method, tmp_path / "start", torch.float32)
    start = {"spectral_generators": True, "start_from": tmp_path / "start"}
    again = trainer(photos, paintings, tmp_path / "again", **start)
    saved, begun = made.method.state_dict(), again.method.state_dict()
    assert all(torch.equal(begun[name], value) for name, value in saved.items())


def test_an_ended_run_that_goes_on_fits_codes_of_its_own_last_steps(
    photos: Path, paintings: Path, tmp_path: Path
) -> None:
    fit(trainer(photos, paintings, tmp_path / "run", steps=3, codes_last=2))
    longer = trainer(photos, paintings, tmp_path / "run", steps=6, codes_last=2)
    fit(longer)
    for fitted in longer.fits.values():
        assert [len(rows) for rows in fitted.rows.values()] == [2, 2, 2]


def test_spectral_generators_have_no_last_layer_to_fit(
    photos: Path, paintings: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="--spectral-generators"):
        trainer(photos, paintings, tmp_path / "run", codes_last=1, spectral_generators=True)


def test_fitted_codes_find_what_was_drawn_and_are_spread_like_it() -> None:
    torch.manual_seed(0)
    mixing, shift = torch.randn(3, 12), torch.randn(12)
    fitted = CodeFit(ridge=1e-9)

    def features(codes: Tensor) -> Tensor:
        return codes @ mixing + shift + 0.01 * torch.randn(len(codes), 12)

    # Pictures have other codes than are drawn, and some of them are far out.
    given = torch.randn(900, 3) * torch.tensor([0.5, 1.0, 2.0]) + 1
    given[:45] *= 30
    real = features(given)
    for start in range(0, 900, 9):
        drawn = torch.randn(9, 3)
        fitted.update(real[start : start + 9], features(drawn), drawn)
    again = CodeFit(ridge=1e-9)
    again.load_state_dict(fitted.state_dict())
    weight, bias = again.solved()
    codes = (real.double() @ weight.T + bias)[45:]
    torch.testing.assert_close(codes.mean(0), torch.zeros(3).double(), atol=0.2, rtol=0)
    torch.testing.assert_close(codes.T.cov(), torch.eye(3).double(), atol=0.2, rtol=0)
    # Stretched as those of pictures are, and otherwise what was drawn.
    drawn = torch.randn(200, 3)
    found = features(drawn).double() @ weight.T + bias
    both = torch.cat([found, drawn.double()], 1).T.corrcoef()
    assert both[:3, 3:].diagonal().min() > 0.99


def test_codes_elsewhere_are_drawn_to_the_prior() -> None:
    """Codes that a free map makes of pictures end with mean 0 and covariance 1."""
    torch.manual_seed(0)
    shift, scale = torch.tensor([1.5, -1.0, 0.2]), torch.tensor([0.3, 0.5, 2.5])
    network = nn.Linear(3, 3)
    nn.init.eye_(network.weight)
    with torch.no_grad():
        network.bias.copy_(shift)
    prior, optimizer = Prior(3), torch.optim.Adam(network.parameters(), 0.002)
    for _ in range(3000):
        found = network(scale * torch.randn(4, 3))
        loss = prior(found)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        prior.update(found)
    with torch.no_grad():
        found = network(scale * torch.randn(4000, 3))
    assert found.mean(0).abs().max() < 0.2
    spread = torch.linalg.eigvalsh(torch.cov(found.T))
    assert 0.6 < spread.min() <= spread.max() < 1.5


def test_the_prior_is_the_divergence_of_normal_distributions() -> None:
    torch.manual_seed(0)
    prior = Prior(2, floor=0.0)
    found = torch.tensor([0.5, -1.0]) + torch.randn(500, 2) @ torch.tensor([[0.6, 0.3], [0, 1.4]])
    assert prior(found) == pytest.approx(0, abs=1e-5)  # a fresh one knows no better
    for _ in range(2):  # the second time around the mean that it knows
        prior.update(found)
    known = torch.distributions.MultivariateNormal(found.mean(0), torch.cov(found.T))
    start = torch.distributions.MultivariateNormal(torch.zeros(2), torch.eye(2))
    expected = torch.distributions.kl_divergence(known, start) / 2  # per number of a code
    assert prior(found) == pytest.approx(float(expected), rel=1e-2)


def test_mode_seeking_is_the_ratio_of_the_paper() -> None:
    first, second = torch.zeros(2, 3, 4, 4), torch.full((2, 3, 4, 4), 0.5)
    second[1] = 0.25
    codes = torch.zeros(2, 8), torch.ones(2, 8)
    assert mode_seeking(first, second, *codes, eps=0.0) == pytest.approx((2 + 4) / 2)
    assert torch.isfinite(mode_seeking(first, first, *codes))


class Tints(Coded):
    """A method of no weights: the first three numbers of a code are a tint."""

    code_size = 8

    def __init__(self, depth: float = 0.15, shift: float = 0.0) -> None:
        self.depth, self.shift = depth, shift

    def render(
        self, content: Tensor | None, codes: Tensor, direction: Direction = "AtoB"
    ) -> Tensor:
        assert content is not None
        return (content + self.depth * codes[:, :3, None, None]).clamp(0, 1)

    def code_of(self, style: Tensor, direction: Direction = "AtoB") -> Tensor:
        tint = (style.mean((2, 3)) - 0.5) / 0.15 + self.shift
        return torch.cat([tint, torch.zeros(1, 5)], 1)


class Jumps(Tints):
    """Results that leap to and fro on the way between two codes."""

    def render(
        self, content: Tensor | None, codes: Tensor, direction: Direction = "AtoB"
    ) -> Tensor:
        return super().render(content, torch.sign(torch.sin(25 * codes)), direction)


def pictures(count: int, seed: int) -> list[Tensor]:
    source = torch.Generator().manual_seed(seed)
    small = 0.3 + 0.4 * torch.rand(count, 3, 6, 6, generator=source)
    return list(small.repeat_interleave(8, 2).repeat_interleave(8, 3).split(1))


def test_the_gates_tell_a_sound_method_from_a_broken_one() -> None:
    encoder, sound = vgg19(), Tints()
    contents = pictures(6, 0)
    styles = tinted(pictures(6, 1))
    collapsed = Tints(depth=1e-4)
    floor = 0.1 * spread(sound, contents[0], "AtoB", encoder, 4)
    assert spread(collapsed, contents[0], "AtoB", encoder, 4) < floor
    assert steadiness(sound, contents[0], "AtoB", encoder) > 0.9
    assert steadiness(Jumps(), contents[0], "AtoB", encoder) < 0.7
    assert guided_to_random(sound, contents, styles, "AtoB", encoder) <= 1.2
    elsewhere = Tints(shift=6.0)
    assert guided_to_random(elsewhere, contents, styles, "AtoB", encoder) > 1.2


def tinted(contents: list[Tensor]) -> list[Tensor]:
    """What the sound method makes of ``contents`` by random codes."""
    drawn = codes.sample(7, len(contents), 8).split(1)
    return [Tints().render(one, code) for one, code in zip(contents, drawn, strict=True)]


def test_weights_with_a_fault_of_codes_are_not_published(tmp_path: Path) -> None:
    # One kind has more pictures than the other.
    for kind, found in (("a", pictures(6, 0)), ("b", tinted(pictures(8, 1)))):
        (tmp_path / kind).mkdir()
        for number, picture in enumerate(found):
            images.to_pil(picture)[0].save(tmp_path / kind / f"{number}.png")
        pack(tmp_path / kind, tmp_path / f"{kind}-pack", 48)
    recipe = MUNITRecipe(domain_a=tmp_path / "a-pack", domain_b=tmp_path / "b-pack", load_size=48)
    photos = pictures(2, 3)
    measured = {metric.name: metric for metric in gate(Tints(), photos, recipe)}
    assert len(measured) == 10
    assert measured["Correlation of light and dark, AtoB"].value > 0.9
    assert measured["Perceptual distance among 10 codes, BtoA"].better == "higher"
    assert all("guidance on 6 training pictures" in metric.data for metric in measured.values())
    for broken, fault in (
        (Tints(depth=1e-4), "all codes give the same"),
        (Tints(shift=6.0), "codes of pictures do worse than drawn ones"),
        (Jumps(), "results jump from code to code"),
        (Negatives(), "light and dark change places"),
        (Fences(), "results have a checkerboard"),
    ):
        with pytest.raises(CheckpointError, match=f"AtoB: {fault}"):
            gate(broken, photos, recipe)


class Negatives(Tints):
    """Results with light and dark exchanged."""

    def render(
        self, content: Tensor | None, codes: Tensor, direction: Direction = "AtoB"
    ) -> Tensor:
        return 1 - super().render(content, codes, direction)


class Fences(Tints):
    """Results whose every second column is darker."""

    def render(
        self, content: Tensor | None, codes: Tensor, direction: Direction = "AtoB"
    ) -> Tensor:
        made = super().render(content, codes, direction)
        made[..., ::2] *= 0.9
        return made
