"""The yardsticks, where the answer is known."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch import Tensor, nn

from benchmarks import generation, translation
from benchmarks.quality import YARDSTICK, by_heart, load, main
from training.faults import BOUNDS
from zoo import checkpoint
from zoo.method import Direction, Method
from zoo.methods.cyclegan import CycleGAN, CycleGANConfig
from zoo.methods.dcgan import DCGAN, DCGANConfig
from zoo.methods.gatys import Objective
from zoo.methods.johnson import Johnson, JohnsonConfig
from zoo.methods.munit import MUNIT, MUNITConfig
from zoo.nn.vgg import vgg19


def test_a_network_that_does_nothing_has_the_objective_of_the_photo() -> None:
    torch.manual_seed(0)
    photos, styles = ([torch.rand(1, 3, 48, 48) for _ in range(2)] for _ in range(2))
    seen: list[int] = []

    def nothing(photo: Tensor, which: int) -> Tensor:
        seen.append(which)
        return photo

    found = by_heart(nothing, photos, styles, style_weight=20, ours=True)
    assert seen == [0, 1]
    assert found["network"] == pytest.approx(found["untouched"])
    assert found["optimised"] < 0.2 * found["untouched"]
    assert found["ours"] < 0.2 * found["untouched"]
    heavier = by_heart(nothing, photos[:1], styles, style_weight=40)
    lighter = by_heart(nothing, photos[:1], styles, style_weight=20)
    assert heavier["untouched"] == pytest.approx(2 * lighter["untouched"])
    assert "ours" not in lighter


def test_an_optimisation_that_is_known_is_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    photos, styles = ([torch.rand(1, 3, 32, 32)] for _ in range(2))
    known: dict[str, float] = {}
    first = by_heart(lambda photo, _: photo, photos, styles, known=known)
    assert list(known.values()) == [first["optimised"]]
    monkeypatch.setattr("benchmarks.quality.textbook", None)
    again = by_heart(lambda photo, _: 0.9 * photo, photos, styles, known=known)
    assert again["optimised"] == first["optimised"]
    assert again["network"] != first["network"]
    for others in (
        {"photos": [1 - photos[0]]},
        {"styles": [1 - styles[0]]},
        {"style_weight": 20.0},
    ):
        with pytest.raises(TypeError):  # it would have to be made
            by_heart(
                lambda photo, _: photo,
                **({"photos": photos, "styles": styles, "known": known} | others),
            )


def test_styles_have_the_size_that_was_trained_with(tmp_path: Path) -> None:
    noise = np.random.default_rng(0)
    for name, side in (("photos/one", 64), ("styles/waves", 120)):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir()
        Image.fromarray(noise.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(path)
    folder = tmp_path / "made"
    checkpoint.save(Johnson(JohnsonConfig(width=4, style="waves")), folder)
    (folder / "recipe.json").write_text(json.dumps({"style_weight": 20.0, "style_size": 90}))
    words = ["--photos", str(tmp_path / "photos"), "--styles", str(tmp_path / "styles")]
    out = tmp_path / "quality.json"
    words += ["--size", "64", "--known", str(tmp_path / "known.json"), "--out", str(out)]
    done = CliRunner().invoke(main, [str(folder), *words])
    assert done.exit_code == 0, done.output
    told = {metric["name"]: metric for metric in json.loads(out.read_text())}
    assert list(json.loads((tmp_path / "known.json").read_text()).values()) == [
        pytest.approx(told["Gatys objective of 50 L-BFGS steps on pixels"]["value"], rel=1e-3)
    ]
    untouched = told["Gatys objective of the photo"]
    assert untouched["features"].endswith("style weight 20, styles at 90 px")
    assert "20" not in told[YARDSTICK]["features"]  # it compares with those of other weights
    faults = ("checkerboard", "frame", "line", "color_drift", "contrast")
    assert told.keys() >= {BOUNDS[fault].name for fault in faults}
    photo = load(tmp_path / "photos" / "one.png", 64)
    style = load(tmp_path / "styles" / "waves.png", 90, 1)
    assert style.shape[2:] == (90, 90)
    wanted = Objective(vgg19(), photo, [(style, 1.0)], style_weight=20)(photo)
    assert untouched["value"] == pytest.approx(float(wanted), rel=1e-3)


def measured(
    method: Method, pictures: list[Tensor], wanted: list[Tensor], way: Direction
) -> dict[str, float]:
    return {m.name: m.value for m in translation.measure(method, pictures, wanted, way)}


class Same(nn.Module):
    """A generator that makes nothing of a picture, or its negative."""

    sign = 1.0

    def forward(self, images: Tensor, *_: object) -> Tensor:
        return self.sign * images


def test_a_translation_that_does_nothing_is_as_far_as_the_untouched() -> None:
    torch.manual_seed(0)
    method = CycleGAN(CycleGANConfig(width=4, blocks=1))
    for way in ("AtoB", "BtoA"):
        method.generators[way] = Same()
    pictures, wanted = ([torch.rand(1, 3, 48, 64) ** power for _ in range(4)] for power in (1, 3))
    found = measured(method, pictures, wanted, "AtoB")
    assert found["KID, AtoB"] == found["KID of the untouched, AtoB"] > 0
    assert found["FID, AtoB"] == found["FID of the untouched, AtoB"] > 0
    assert (
        found["Content error, relative, AtoB"] == found["Cycle error, mean |difference|, AtoB"] == 0
    )
    # Nothing is hidden: all that is lost is what noise and blur change themselves.
    noise = found["Cycle error after noise of 5/255, mean |difference|, AtoB"]
    assert noise == pytest.approx(5 / 255 * (2 / torch.pi) ** 0.5, rel=0.05)
    assert found["Cycle error after a blur of 1 px, mean |difference|, AtoB"] > 0.05
    assert found["Correlation of light and dark, AtoB"] == pytest.approx(1)
    method.generators["AtoB"].sign = -1.0  # type: ignore[assignment]
    found = measured(method, pictures, wanted, "AtoB")
    assert found["Correlation of light and dark, AtoB"] == pytest.approx(-1)
    assert found["Cycle error, mean |difference|, AtoB"] > 0.1


def test_translations_with_codes_are_asked_more() -> None:
    torch.manual_seed(0)
    method = MUNIT(MUNITConfig(width=4, blocks=1))
    pictures, wanted = ([torch.rand(1, 3, 64, 64) for _ in range(4)] for _ in range(2))
    found = measured(method, pictures, wanted, "BtoA")
    assert len(found) == 15
    assert found["Diversity of the wanted, perceptual distance, BtoA"] > 0
    assert found["Diversity of 10 codes, perceptual distance, BtoA"] > 0
    assert found["KID of codes of pictures over that of drawn ones, BtoA"] > 0


def test_training_pictures_are_nearer_than_an_untrained_generator() -> None:
    torch.manual_seed(0)
    method, untrained = (DCGAN(DCGANConfig(width=4, size=32)).eval() for _ in range(2))
    smooth = torch.rand(8, 3, 4, 4).repeat_interleave(8, 2).repeat_interleave(8, 3).split(1)
    metrics = generation.measure(method, untrained, list(smooth[4:]), list(smooth[:4]))
    found = {metric.name: metric.value for metric in metrics}
    assert found["KID of training pictures"] < found["KID of the untrained network"]
    assert found["FID of training pictures"] < found["FID"]
    assert found["Diversity of training pictures"] > found["Diversity of the untrained network"]
