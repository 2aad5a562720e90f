from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from training import faults
from zoo import checkpoint
from zoo.codes import slerp, to_text
from zoo.errors import InputError
from zoo.methods import METHODS
from zoo.methods.dcgan import DCGAN, DCGANConfig, Generator
from zoo.nn.vgg import vgg19
from zoo.pipeline import Pipeline

SHIPPED = [
    path.parent
    for path in sorted(checkpoint.SHIPPED.glob("*/config.json"))
    if checkpoint.read_config(path.parent)["method"] == "dcgan"
]


def tiny(**changes: Any) -> DCGAN:
    torch.manual_seed(0)
    method = DCGAN(DCGANConfig(**{"width": 4, "size": 32, **changes}))
    return method.eval().requires_grad_(False)


def test_the_published_generator_has_the_papers_layers() -> None:
    network = Generator(DCGANConfig(published=True))
    assert sum(p.numel() for p in network.parameters()) == 3_576_704
    layers = [m for m in network.modules() if isinstance(m, nn.ConvTranspose2d)]
    table = [(m.in_channels, m.out_channels, m.stride[0], m.padding[0]) for m in layers]
    assert table == [
        (100, 512, 1, 0),
        (512, 256, 2, 1),
        (256, 128, 2, 1),
        (128, 64, 2, 1),
        (64, 3, 2, 1),
    ]
    assert all(m.kernel_size == (4, 4) and m.bias is None for m in layers)
    assert sum(isinstance(m, nn.BatchNorm2d) for m in network.modules()) == 4


@pytest.mark.parametrize("published", [False, True])
@pytest.mark.parametrize("size", [16, 64, 128])
def test_pictures_have_the_size_of_the_config(size: int, published: bool) -> None:
    made = tiny(size=size, published=published)(samples=3)
    assert made.shape == (3, 3, size, size)
    assert 0 <= made.min() < made.max() <= 1


def test_a_picture_is_that_of_its_seed_whatever_the_number() -> None:
    method = tiny()
    many = method(samples=4, seed=10)
    for i in range(4):
        torch.testing.assert_close(method(samples=1, seed=10 + i)[0], many[i])
    assert (many[0] - many[1]).abs().mean() > 1e-3


def test_a_walk_goes_from_one_picture_to_the_other() -> None:
    method = tiny()
    way = method(samples=5, seed=3, walk_to=8)
    ends = [method(samples=1, seed=seed)[0] for seed in (3, 8)]
    torch.testing.assert_close(way[0], ends[0])
    torch.testing.assert_close(way[-1], ends[1])
    codes = slerp(method.codes(3, 1), method.codes(8, 1), [0.25])
    torch.testing.assert_close(way[1], method.render(None, codes)[0])
    assert method(samples=1, seed=3, walk_to=8).shape[0] == 1


def test_a_code_as_text_takes_the_place_of_the_seed() -> None:
    method = tiny()
    text = to_text(method.codes(5, 1))
    torch.testing.assert_close(method(code=text), method(samples=1, seed=5))
    way = method(samples=3, code=text, walk_to=8)
    torch.testing.assert_close(way, method(samples=3, seed=5, walk_to=8))
    with pytest.raises(InputError, match="these are 3 numbers, and a code of this method has 100"):
        method(code="1 2 3")


def test_truncation_draws_pictures_nearer_to_each_other() -> None:
    method = tiny()
    spread = [method(samples=8, truncation=t).std(0).mean() for t in (0.25, 1.0, 4.0)]
    assert spread[0] < 0.6 * spread[1] < spread[1] < spread[2]


def test_it_runs_without_a_photo() -> None:
    pipeline = Pipeline(tiny())
    made = pipeline(samples=2, seed=1)
    assert [picture.size for picture in made] == [(32, 32)] * 2
    assert [p.tobytes() for p in pipeline(samples=2, seed=1)] == [p.tobytes() for p in made]
    with pytest.raises(InputError, match="Seed"):
        pipeline(seed="cat")


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_shipped_weights_draw_pictures_that_differ(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METHODS, "dcgan", DCGAN)
    method = checkpoint.load(folder)
    assert isinstance(method, DCGAN)
    encoder = vgg19()
    assert faults.diversity(method(samples=16), encoder) > COLLAPSED
    first = method.generator.body[0]
    assert isinstance(first, nn.ConvTranspose2d)
    first.weight.mul_(0.01)  # the code hardly counts any more
    assert faults.diversity(method(samples=16), encoder) < COLLAPSED


COLLAPSED = 1.0  # of painted portraits themselves it is 1.7
