import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks import cartoongan as benchmark
from benchmarks import quality
from tests.training.conftest import paint
from tests.training.test_loop import differing, state_of
from tests.training.toys import recipe_of, run_in, trainer_of
from training.adversarial import discriminator_loss
from training.cartoongan import (
    EPOCH,
    INITIALISED,
    CartoonGANRecipe,
    CartoonGANTrainer,
    Pairs,
    color_loss,
    content_error,
    gate,
    growth,
    style_distance,
    without_edges,
)
from training.data import pack
from training.loop import fit
from training.publish import publish
from training.recipe import Run
from zoo import checkpoint, images
from zoo.errors import CheckpointError, InputError
from zoo.methods import METHODS
from zoo.methods.cartoongan import CartoonGAN, CartoonGANConfig
from zoo.nn.vgg import vgg19


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS, "cartoongan", CartoonGAN)


@pytest.fixture
def haze(tmp_path: Path) -> Path:
    """Clear pictures, two hazy ones of each, and the table that pairs them."""
    rows = [("hazy", "clear")]
    for folder in ("hazy", "clear"):
        (tmp_path / folder).mkdir()
    for scene in range(3):
        clear = tmp_path / "clear" / f"{scene}.png"
        paint(clear, scene)
        picture = cv2.imread(str(clear))
        assert picture is not None
        for level in (1, 2):
            name = f"{scene}_{level}.png"
            air = np.full_like(picture, 230)
            hazy = cv2.addWeighted(picture, 1 - 0.3 * level, air, 0.3 * level, 0)
            cv2.imwrite(str(tmp_path / "hazy" / name), hazy)
            rows.append((f"haze/hazy/{name}", f"haze/clear/{scene}.png"))
    with (tmp_path / "pairs.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return tmp_path


def recipe_for(folder: Path, **changes: object) -> CartoonGANRecipe:
    # Pairs show what results should be.
    changes = {"style_weight": 0.0, "pairs": folder / "pairs.csv", **changes}
    recipe = recipe_of("cartoongan", folder / "hazy", folder / "clear", **changes)
    assert isinstance(recipe, CartoonGANRecipe)
    return recipe


def toy(photos: Path, paintings: Path, folder: Path, **changes: object) -> CartoonGANTrainer:
    recipe = recipe_of("cartoongan", photos, paintings, **changes)
    trainer = trainer_of("cartoongan", recipe, run_in(folder / "run"))
    assert isinstance(trainer, CartoonGANTrainer)
    return trainer


def test_the_rate_is_that_of_the_authors() -> None:
    recipe = CartoonGANRecipe(photos=Path("p"), cartoons=Path("c"))
    rates = [
        (1, 2e-4), (10, 2e-4), (15, 1e-4), (20, 0.0), (21, 1e-5), (120, 1e-5), (170, 5e-6),
        (220, 0.0),
    ]  # fmt: skip
    for epoch, rate in rates:
        found = recipe.rate(epoch * EPOCH - 1)
        assert found == pytest.approx(rate, rel=1e-3, abs=1e-8), epoch


def edged() -> Tensor:
    """Two flat halves with a hard edge between them, and a soft gradient at the bottom."""
    picture = torch.zeros(1, 3, 48, 64)
    picture[..., :32, 32:] = 1
    picture[..., 32:, :] = torch.linspace(0.4, 0.6, 64)
    return (picture * 255).round() / 255


def test_edges_are_smoothed_and_nothing_else_is() -> None:
    picture = edged()
    smoothed = without_edges(picture)
    changed = (smoothed - picture).abs().amax(1)[0] > 0.5 / 255
    assert changed[8:24, 30:34].all()  # at the edge
    assert not changed[8:24, :29].any()  # wider than the edge and half the kernel
    assert not changed[8:24, 36:].any()
    assert not changed[40:].any()  # a gradient is no edge
    steps = [(p[..., 10, 1:] - p[..., 10, :-1]).abs().max() for p in (picture, smoothed)]
    assert steps[1] < 0.6 * steps[0]


def test_color_loss_against_its_formula() -> None:
    torch.manual_seed(0)
    first, second = torch.rand(2, 3, 5, 7), torch.rand(2, 3, 5, 7)
    total = 0.0
    planes = []
    for pictures in (first, second):
        red, green, blue = pictures.unbind(1)
        luma = 0.299 * red + 0.587 * green + 0.114 * blue
        planes.append((luma, 0.492 * (blue - luma), 0.877 * (red - luma)))
    total += float((planes[0][0] - planes[1][0]).abs().mean())
    for one, other in zip(planes[0][1:], planes[1][1:], strict=True):
        far = (one - other).abs()
        total += float(torch.where(far < 1, far**2 / 2, far - 0.5).mean())
    assert float(color_loss(first, second)) == pytest.approx(total, rel=1e-5)
    assert float(color_loss(first, first)) == 0


@pytest.mark.parametrize("side", [0, 48])
def test_the_content_loss_is_that_of_conv4_4_before_its_activation(
    side: int, photos: Path, paintings: Path, tmp_path: Path
) -> None:
    trainer = toy(photos, paintings, tmp_path, encoder_size=side)
    torch.manual_seed(0)
    made, wanted = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    pictures = [made, wanted]
    if side:
        pictures = [F.interpolate(p, (side, side), mode="bilinear") for p in pictures]
    found, expected = (vgg19()(p, ["conv4_4"])["conv4_4"] for p in pictures)
    assert found.min() < 0
    loss = trainer.likeness(made, wanted)["content"]
    torch.testing.assert_close(loss, (found - expected).abs().mean())


def test_a_term_without_weight_is_not_computed(
    photos: Path, paintings: Path, tmp_path: Path
) -> None:
    trainer = toy(photos, paintings, tmp_path, content_weight=0.0, warmup=9)
    assert set(trainer.step()) == {"color", "total"}
    with pytest.raises(InputError, match="--content-weight or --color-weight"):
        toy(photos, paintings, tmp_path, content_weight=0.0, color_weight=0.0)


@pytest.mark.parametrize("judged", ["pixels", "features"])
def test_the_warm_up_has_no_discriminator_and_its_end_is_kept(
    photos: Path, paintings: Path, tmp_path: Path, judged: str
) -> None:
    trainer = toy(photos, paintings, tmp_path, steps=3, judged=judged)
    before = {k: v.clone() for k, v in trainer.judge.state_dict().items()}
    for _ in range(2):
        assert set(trainer.step()) == {"content", "color", "total"}
        trainer.done += 1
    assert all(torch.equal(v, before[k]) for k, v in trainer.judge.state_dict().items())
    averaged = {k: v.clone() for k, v in trainer.result.state_dict().items()}
    found = set(trainer.step())
    terms = {"content", "color", "cycle", "style", "adversarial", "discriminator", "total"}
    assert found == terms
    assert not all(torch.equal(v, before[k]) for k, v in trainer.judge.state_dict().items())
    kept = checkpoint.load(tmp_path / "run" / INITIALISED)
    for key, value in kept.state_dict().items():
        torch.testing.assert_close(value, averaged[key].half().float())


def test_pairs_of_a_share_get_a_thinner_haze(haze: Path, tmp_path: Path) -> None:
    def variations(**changes: object) -> tuple[Tensor, Tensor, Tensor]:
        recipe = recipe_for(haze, batch_size=64, **changes)
        made = trainer_of("cartoongan", recipe, run_in(tmp_path / "run"))
        assert isinstance(made, CartoonGANTrainer)
        batch = made.batch(made.photos)
        return (batch, *made.varied(batch))

    batch, photos, targets = variations()
    assert torch.equal(torch.cat([photos, targets], 1), batch)
    batch, photos, targets = variations(thinned=0.5)
    assert torch.equal(targets, batch[:, 3:])
    haze_there, haze_left = batch[:, :3] - targets, photos - targets
    left = (haze_left * haze_there).sum((1, 2, 3)) / haze_there.square().sum((1, 2, 3))
    torch.testing.assert_close(haze_left, left.view(-1, 1, 1, 1) * haze_there, atol=1e-5, rtol=0)
    thinner = left < 0.999
    assert 0.3 < thinner.float().mean() < 0.7
    assert left[thinner].min() < 0.2
    assert left[thinner].max() > 0.8
    batch, photos, targets = variations(exposure=1.0)
    before = batch.split(3, 1)
    signs = [(m - b).sign() for m, b in zip((photos, targets), before, strict=True)]
    both = torch.cat(signs, 1).flatten(1)
    assert (both.amin(1) >= 0).logical_or(both.amax(1) <= 0).all()  # both of a pair alike
    assert (both.amax(1) > 0).any()
    assert (both.amin(1) < 0).any()


def test_without_a_warm_up_the_start_is_kept(photos: Path, paintings: Path, tmp_path: Path) -> None:
    first = toy(photos, paintings, tmp_path / "first")
    checkpoint.save(first.result, tmp_path / "start")
    trainer = toy(photos, paintings, tmp_path, warmup=0, start_from=tmp_path / "start", seed=1)
    assert "style" in trainer.step()
    trainer.done += 1
    trainer.step()
    kept = checkpoint.load(tmp_path / "run" / INITIALISED)
    for key, value in kept.state_dict().items():
        torch.testing.assert_close(value, first.result.state_dict()[key].half().float())
    fresh = toy(photos, paintings, tmp_path / "fresh", warmup=0)
    fresh.step()
    assert not (tmp_path / "fresh" / "run" / INITIALISED).exists()  # of noise there is nothing


def test_smoothed_edges_count_as_false_beside_results(
    photos: Path, paintings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = toy(photos, paintings, tmp_path, pool=0)
    cartoons, made = torch.rand(2, 3, 32, 32), 2 * torch.rand(2, 3, 32, 32) - 1
    with torch.no_grad():
        true, false, smoothed = (
            trainer.judge(p) for p in (2 * cartoons - 1, made, 2 * without_edges(cartoons) - 1)
        )
    expected = (true - 1).square().mean() + false.square().mean() + smoothed.square().mean()
    loss = trainer.judgement(made, cartoons)
    torch.testing.assert_close(loss, expected)
    plain = toy(photos, paintings, tmp_path, pool=0, edges=False)
    plain.judge.load_state_dict(trainer.judge.state_dict())
    with torch.no_grad():
        true, false = plain.judge(2 * cartoons - 1), plain.judge(made)
    loss = plain.judgement(made, cartoons)
    torch.testing.assert_close(loss, discriminator_loss(true, false, "lsgan"))


def test_pairs_are_cropped_and_mirrored_alike(haze: Path, tmp_path: Path) -> None:
    hazy, clear = (pack(haze / n, tmp_path / f"pack-{n}", 48) for n in ("hazy", "clear"))
    pairs = Pairs(hazy, clear, haze / "pairs.csv", 32)
    assert len(pairs) == 6
    for position in range(12):
        crop = pairs.crop(position, 32, 0).astype(float)
        assert crop.shape == (32, 32, 6)
        # Haze is a line from the clear value to that of the air: it fits one only in place.
        first, second = crop[..., :3].ravel(), crop[..., 3:].ravel()
        assert np.corrcoef(first, second)[0, 1] > 0.999


def test_one_table_of_pairs_serves_both_ways(haze: Path, tmp_path: Path) -> None:
    hazy, clear = (pack(haze / n, tmp_path / f"pack-{n}", 48) for n in ("hazy", "clear"))
    there, back = (
        Pairs(*packs, haze / "pairs.csv", 32) for packs in ((hazy, clear), (clear, hazy))
    )
    assert len(back) == 6
    for number in range(6):
        photo, target = back.picture(number)[..., :3], back.picture(number)[..., 3:]
        assert (there.picture(number) == np.concatenate([target, photo], 2)).all()
        assert photo.mean() < target.mean()  # what is hazy is lighter


def test_a_table_that_does_not_fit_is_refused(haze: Path, tmp_path: Path) -> None:
    hazy, clear = (pack(haze / n, tmp_path / f"pack-{n}", 48) for n in ("hazy", "clear"))
    table = haze / "other.csv"
    for text, words in (
        ("0_1.png,9.png\n", "not both there"),
        ("a,b\n", "names none"),
        ("0_1.png\n", "no table"),
    ):
        table.write_text(text)
        with pytest.raises(InputError, match=words):
            Pairs(hazy, clear, table, 32)
    with pytest.raises(InputError, match="at least 64 × 64"):
        Pairs(hazy, clear, haze / "pairs.csv", 64)
    with pytest.raises(InputError, match="no table"):
        Pairs(hazy, clear, haze / "missing.csv", 32)


def test_a_run_does_not_go_on_with_another_table(haze: Path, tmp_path: Path) -> None:
    run = run_in(tmp_path / "run")
    fit(trainer_of("cartoongan", recipe_for(haze, steps=1), run))
    fewer = tmp_path / "fewer.csv"
    fewer.write_text("".join((haze / "pairs.csv").read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(CheckpointError, match="pairs: "):
        fit(trainer_of("cartoongan", recipe_for(haze, steps=2, pairs=fewer), run))


@pytest.mark.parametrize(
    ("weights", "terms"),
    [
        ({"adversarial_weight": 0.0, "cycle_weight": 0.0}, set()),
        ({"cycle_weight": 0.0}, {"adversarial", "discriminator"}),
        ({}, {"adversarial", "discriminator", "cycle"}),
    ],
)
def test_the_three_set_ups_of_dehazing_learn_and_resume(
    weights: dict[str, float], terms: set[str], haze: Path, tmp_path: Path
) -> None:
    values = {"edges": False, "warmup": 0, "cooldown": 0.0, **weights}
    trainer = trainer_of("cartoongan", recipe_for(haze, **values), run_in(tmp_path / "run"))
    losses = [trainer.step() for _ in range(12)]  # `done` stays: the same batch
    assert set(losses[0]) == {"content", "color", "total"} | terms
    assert losses[-1]["content"] < 0.95 * losses[0]["content"]
    straight, stopped = (run_in(tmp_path / name) for name in ("straight", "stopped"))
    fit(trainer_of("cartoongan", recipe_for(haze, **values, steps=4), straight))
    for steps in (2, 4):
        fit(trainer_of("cartoongan", recipe_for(haze, **values, steps=steps), stopped))
    states = [state_of(run.out) for run in (straight, stopped)]
    for state in states:
        del state["seconds"]
    assert differing(*states) == []


def smooth(seed: int, colors: float = 1.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(1, 3, 10, 12, generator=generator)
    small = 0.5 + colors * (small - 0.5)
    large = F.interpolate(small, (80, 96), mode="bicubic")
    noise = torch.rand(1, 3, 80, 96, generator=generator) - 0.5
    return (large + 0.2 * noise).clamp(0, 1)


def flat(photo: Tensor) -> Tensor:
    """A photo as a cartoon: without its grain, in few colours."""
    return (F.avg_pool2d(photo, 5, 1, 2) * 5).round() / 5


class Painter(nn.Module):
    """Stands for a trained network: what it makes of photos is known beforehand."""

    def __init__(self, made: list[Tensor]) -> None:
        super().__init__()
        self.made = iter(made)

    def forward(self, photo: Tensor) -> Tensor:
        return next(self.made)


def test_the_gate_passes_a_cartoon_and_stops_what_fell_back_or_lost_the_photo() -> None:
    encoder = vgg19()
    photos, cartoons = [smooth(i) for i in range(3)], [flat(smooth(10 + i)) for i in range(3)]
    grain = torch.randn(photos[0].shape, generator=torch.Generator().manual_seed(0))
    initialised, worse = ([p + s * grain for p in photos] for s in (0.08, 0.16))
    finals = {
        "good": [flat(photo) for photo in photos],
        "no nearer": worse,
        "lost": [flat(photo.flip(2, 3)) for photo in photos],
    }
    found = {
        name: growth(Painter(initialised), Painter(final), photos, cartoons, encoder)
        for name, final in finals.items()
    }
    passed = {name: v["style"] < 1 and v["content"] <= 2 for name, v in found.items()}
    assert passed == {"good": True, "no nearer": False, "lost": False}, found


def test_the_gate_stops_a_real_network_whose_weights_are_broken() -> None:
    torch.manual_seed(0)
    config = CartoonGANConfig(width=8, blocks=1)
    initialised, final = CartoonGAN(config), CartoonGAN(config)
    photos = [smooth(i) for i in range(2)]
    with torch.no_grad():
        trained(initialised, photos)
        final.load_state_dict(initialised.state_dict())
        final.generator.last.weight.mul_(-1)  # the negative that a second phase can end in
    found = growth(initialised, final, photos, [flat(p) for p in photos], vgg19())
    assert found["content"] > 2 or found["style"] > 1, found
    same = growth(initialised, initialised, photos, [flat(p) for p in photos], vgg19())
    assert same == {"style": 1.0, "content": 1.0}


@torch.enable_grad()
def trained(method: CartoonGAN, photos: list[Tensor]) -> None:
    """Teach a small network to give its photos back, in a few seconds."""
    optimizer = torch.optim.Adam(method.parameters(), 3e-3)
    batch = torch.cat(photos)
    for _ in range(60):
        optimizer.zero_grad()
        F.l1_loss(method(batch), batch).backward()
        optimizer.step()


def test_distances_are_0_for_the_same_and_grow() -> None:
    encoder = vgg19()
    photos = [smooth(i) for i in range(2)]
    assert style_distance(photos, photos, encoder) == 0
    assert content_error(photos, photos, encoder) == 0
    grain = torch.randn(photos[0].shape, generator=torch.Generator().manual_seed(0))
    near, far = ([p + s * grain for p in photos] for s in (0.05, 0.3))
    assert 0 < style_distance(near, photos, encoder) < style_distance(far, photos, encoder)
    assert 0 < content_error(near, photos, encoder) < content_error(far, photos, encoder)


def test_the_benchmark_measures_pairs_beside_the_untouched_photos(
    haze: Path, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    checkpoint.save(CartoonGAN(CartoonGANConfig(width=4, blocks=1)), tmp_path / "net")
    words = [str(tmp_path / "net"), "--photos", str(haze / "hazy"), "--cartoons"]
    words += [str(haze / "clear"), "--pairs", str(haze / "pairs.csv")]
    out = tmp_path / "metrics.json"
    done = CliRunner().invoke(benchmark.main, [*words, "--out", str(out)], catch_exceptions=False)
    assert done.exit_code == 0
    found = {line["name"]: line["value"] for line in json.loads(out.read_text())}
    ratios = []
    for path in sorted((haze / "hazy").iterdir()):
        clear = haze / "clear" / f"{path.stem[0]}.png"
        hazy, wanted = (quality.load(p, 384).double() for p in (path, clear))
        ratios.append(-10 * math.log10((hazy - wanted).square().mean()))
    assert found["PSNR of the untouched photos"] == pytest.approx(sum(ratios) / 6, rel=1e-4)
    assert 0 < found["SSIM"] < found["SSIM of the untouched photos"] < 1
    method = checkpoint.load(tmp_path / "net")
    scenes = [quality.load(path, 384) for path in sorted((haze / "clear").iterdir())]
    with torch.no_grad():
        errors = [(method(p).clamp(0, 1).double() - p.double()).square().mean() for p in scenes]
    expected = sum(-10 * math.log10(error) for error in errors) / 3
    assert found["PSNR of clear pictures"] == pytest.approx(expected, rel=1e-3)
    # The other way round the same pairs are as far apart, and what is hazy need not stay so.
    words = [*words[:1], "--photos", str(haze / "clear"), "--cartoons", str(haze / "hazy")]
    words += ["--pairs", str(haze / "pairs.csv"), "--no-restores"]
    done = CliRunner().invoke(benchmark.main, [*words, "--out", str(out)], catch_exceptions=False)
    back = {line["name"]: line["value"] for line in json.loads(out.read_text())}
    untouched = "PSNR of the untouched photos"
    assert back[untouched] == pytest.approx(found[untouched])
    assert back["PSNR"] != found["PSNR"]
    assert back.keys() == found.keys() - {"PSNR of clear pictures", "SSIM of clear pictures"}


def test_the_benchmark_measures_cartoons_beside_the_warm_up(
    photos: Path, paintings: Path, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    for name in ("net", "warm"):
        checkpoint.save(CartoonGAN(CartoonGANConfig(width=4, blocks=1)), tmp_path / name)
    words = [str(tmp_path / "net"), "--photos", str(photos), "--cartoons", str(paintings)]
    words += ["--initialised", str(tmp_path / "warm")]
    done = CliRunner().invoke(benchmark.main, words, catch_exceptions=False)
    values = [line.rsplit(maxsplit=1) for line in done.output.splitlines()]
    found = {name: float(value) for name, value in values}
    assert len(found) == 12
    assert found["KID"] != found["KID of the untouched photos"]
    assert found["Content error of the untouched photos"] == 0
    assert min(found["Content error"], found["Content error after the warm-up"]) > 0.1


class Look(CartoonGAN):
    """Stands for trained weights: what it makes of a photo is known beforehand."""

    def __init__(self, look: Callable[[Tensor], Tensor]) -> None:
        super().__init__(CartoonGANConfig(width=4, blocks=1))
        self.look = look

    def forward(self, content: Tensor, **_: Any) -> Tensor:
        return self.look(content)


def grain(photo: Tensor) -> Tensor:
    noise = torch.randn(photo.shape, generator=torch.Generator().manual_seed(0))
    return photo + 0.08 * noise


@pytest.fixture
def cartoons(tmp_path: Path) -> Path:
    folder = tmp_path / "cartoons"
    folder.mkdir()
    for number in range(3):
        images.to_pil(flat(smooth(10 + number)))[0].save(folder / f"{number}.png")
    return folder


def test_publishing_measures_a_cartoonist_against_photos_and_warm_up(
    cartoons: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Run, "packs", tmp_path / "packs")
    recipe = CartoonGANRecipe(photos=cartoons, cartoons=cartoons, size=32, load_size=80)
    photos, run = [smooth(i)[..., :78] for i in range(3)], tmp_path / "run"
    (share,) = gate(Look(flat), photos, recipe, run)
    assert share.value < 0.5
    assert gate(Look(flat), [], recipe, run) == []
    with pytest.raises(CheckpointError, match="no nearer"):
        gate(Look(grain), photos, recipe, run)
    (run / INITIALISED).mkdir(parents=True)
    warm: list[Callable[[Tensor], Tensor]] = [grain]
    monkeypatch.setattr(checkpoint, "load", lambda folder: Look(warm[0]))
    assert gate(Look(flat), photos, recipe, run) == [share]
    turned = Look(lambda photo: flat(photo.flip(2, 3)))
    with pytest.raises(CheckpointError, match="content error"):
        gate(turned, photos, recipe, run)
    assert len(gate(turned, photos, recipe, None)) == 1  # without the run nothing tells
    warm[0] = flat  # and the second phase blurred it
    with pytest.raises(CheckpointError, match="style distance"):
        gate(Look(lambda photo: (flat(photo) + photo) / 2), photos, recipe, run)


def test_publishing_refuses_a_dehazer_that_is_no_better_than_haze(
    haze: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Run, "packs", tmp_path / "packs")
    recipe = recipe_for(haze)
    assert gate(Look(lambda hazy: (1.8 * hazy - 0.7).clamp(0, 1)), [], recipe, tmp_path) == []
    with pytest.raises(CheckpointError, match="untouched"):
        gate(Look(lambda hazy: hazy), [], recipe, tmp_path)


def test_publish_hands_the_run_to_a_gate_that_asks_for_it(
    photos: Path, paintings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = toy(photos, paintings, tmp_path, steps=3)
    fit(trainer)
    seen: list[Path] = []

    def watched(method: Any, photos: Any, recipe: Any, run: Path) -> list[Any]:
        seen.append(run)
        return []

    monkeypatch.setattr("training.cartoongan.gate", watched)
    publish(trainer.run.out, tmp_path / "out", "zoo/toy")
    assert seen == [trainer.run.out]


def test_the_style_loss_brings_results_nearer_to_the_manner_of_the_cartoons(
    photos: Path, paintings: Path, tmp_path: Path
) -> None:
    # Something has to tie a result to its photo, however loosely.
    only = {"content_weight": 1e-9, "color_weight": 0, "cycle_weight": 0, "adversarial_weight": 0}
    made = toy(photos, paintings, tmp_path, style_weight=1, warmup=0, lr=3e-3, cooldown=0, **only)
    cartoons = made.cartoons.pack.tensors(64)
    losses = [made.step()["style"].item() for _ in range(12)]
    assert losses[-1] < 0.7 * losses[0]
    picture = torch.rand(1, 3, 32, 32)
    wanted = style_distance([picture], cartoons, made.encoder)
    assert made.strangeness(picture).item() == pytest.approx(wanted, rel=1e-3)
