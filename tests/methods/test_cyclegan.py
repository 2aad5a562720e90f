from pathlib import Path
from statistics import mean

import pytest
import torch
from torch import nn

from tests.pictures import photo
from training import faults
from zoo import checkpoint, images
from zoo.errors import InputError
from zoo.methods import METHODS
from zoo.methods.cyclegan import CycleGAN, CycleGANConfig, Generator
from zoo.pipeline import Pipeline

EXAMPLES = Path(__file__).parents[2] / "space" / "examples" / "photos"
SHIPPED = [
    path.parent
    for path in sorted(checkpoint.SHIPPED.glob("*/config.json"))
    if checkpoint.read_config(path.parent)["method"] == "cyclegan"
]


def tiny(**changes: object) -> CycleGAN:
    torch.manual_seed(0)
    settings: dict[str, object] = {"width": 4, "blocks": 2, **changes}
    return CycleGAN(CycleGANConfig(**settings)).eval().requires_grad_(False)  # type: ignore[arg-type]


def test_the_published_generator_has_the_papers_layers() -> None:
    network = Generator(64, 9, published=True)
    assert sum(p.numel() for p in network.parameters()) == 11_378_179
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    table = [
        (type(m).__name__, m.in_channels, m.out_channels, m.kernel_size[0], m.stride[0])
        for m in layers
    ]
    assert table == [
        ("Conv2d", 3, 64, 7, 1),
        ("Conv2d", 64, 128, 3, 2),
        ("Conv2d", 128, 256, 3, 2),
        *[("Conv2d", 256, 256, 3, 1)] * 18,
        ("ConvTranspose2d", 256, 128, 3, 2),
        ("ConvTranspose2d", 128, 64, 3, 2),
        ("Conv2d", 64, 3, 7, 1),
    ]
    padding = [m.padding_mode for m in layers]
    assert padding == ["reflect", "zeros", "zeros"] + ["reflect"] * 18 + ["zeros"] * 2 + ["reflect"]
    assert sum(isinstance(m, nn.InstanceNorm2d) for m in network.modules()) == 23
    assert not any(m.affine for m in network.modules() if isinstance(m, nn.InstanceNorm2d))


def test_the_repaired_generator_differs_in_borders_and_enlarging_only() -> None:
    network = Generator(64, 9)
    idle = 64 + 128 + 256 + 18 * 256 + 128 + 64  # biases that a normalisation cancels
    assert sum(p.numel() for p in network.parameters()) == 11_378_179 - idle
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert len(layers) == 24
    assert {m.padding_mode for m in layers} == {"reflect"}


@pytest.mark.parametrize("size", [(16, 16), (17, 30), (65, 49), (66, 128)])
@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
def test_any_size_comes_back_at_that_size(size: tuple[int, int], direction: str) -> None:
    (made,) = Pipeline(tiny())(content=photo(*size), direction=direction, size=0)
    assert made.size == size


def test_each_direction_is_a_network_of_its_own() -> None:
    method = tiny()
    content = torch.rand(1, 3, 32, 40)
    there, back = (method(content, direction=way) for way in ("AtoB", "BtoA"))
    assert there.shape == back.shape == content.shape
    assert 0 <= min(there.min(), back.min()) <= max(there.max(), back.max()) <= 1
    assert (there - back).abs().mean() > 0.01
    assert torch.equal(method(content, strength=0.0), content)


@pytest.mark.parametrize("strength", [1.0, 0.4])
def test_the_way_back_follows_the_result(strength: float) -> None:
    method, content = tiny(), torch.rand(1, 3, 32, 40)
    both = method(content, direction="BtoA", strength=strength, way_back=True)
    there = method(content, direction="BtoA", strength=strength)
    torch.testing.assert_close(both, torch.cat([there, method(there, strength=strength)]))
    one_way = tiny(directions=("AtoB",))
    assert len(one_way(content)) == 1
    with pytest.raises(InputError, match="one direction only"):
        one_way(content, way_back=True)


def test_with_a_skip_no_change_is_the_picture_and_a_change_is_added() -> None:
    method, content = tiny(skip=True), torch.rand(1, 3, 32, 40)
    for generator in method.generators.values():
        generator.last.weight.zero_()  # type: ignore[union-attr,operator]
        generator.last.bias.zero_()  # type: ignore[union-attr,operator]
    same = method(content)
    assert (same - content).abs().max() <= 0.005  # black and white give way a little
    torch.testing.assert_close(same, content.clamp(0.005, 0.995))
    method.generators["AtoB"].last.bias.fill_(0.5)  # type: ignore[union-attr,operator]
    assert (method(content) > same).all()
    assert torch.equal(method(content, direction="BtoA"), same)


def test_a_batch_of_two_is_two_singles() -> None:
    method, contents = tiny(), torch.rand(2, 3, 32, 40)
    together = method(contents)
    for i in range(2):
        torch.testing.assert_close(together[i, None], method(contents[i, None]))


def test_a_checkpoint_keeps_both_directions_and_the_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METHODS, "cyclegan", CycleGAN)
    method = tiny(domains=("summer", "winter"), skip=True)
    checkpoint.save(method, tmp_path / "a")
    again = checkpoint.load(tmp_path / "a")
    assert CycleGAN.offers(again.config) == {
        "direction": [("summer → winter", "AtoB"), ("winter → summer", "BtoA")]
    }
    content = torch.rand(1, 3, 32, 32)
    for way in ("AtoB", "BtoA"):
        assert torch.equal(again(content, direction=way), method(content, direction=way))


def likeness(method: CycleGAN) -> float:
    """Mean correlation of light and dark before and after, over both directions."""
    found = []
    for name in ("pagoda", "astronaut", "cat"):
        opened = images.open_picture(EXAMPLES / f"{name}.jpg").image
        content = images.to_tensor(images.fit(opened, 128))
        content = images.pad(content, 8)
        for way in ("AtoB", "BtoA"):
            result = method(content, direction=way)
            found.append(faults.luminance_correlation(result, content))
    return mean(found)


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_shipped_weights_do_not_invert_light_and_dark(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METHODS, "cyclegan", CycleGAN)
    method = checkpoint.load(folder)
    assert isinstance(method, CycleGAN)
    assert likeness(method) > 0.5
    for generator in method.generators.values():
        assert isinstance(generator, Generator)
        generator.last.weight.neg_()
        generator.last.bias.neg_()  # type: ignore[union-attr]
        if generator.skip:  # then the picture itself has to be turned as well
            made = generator.forward
            generator.forward = lambda x, p=torch.float32, made=made: made(-x, p)  # type: ignore[method-assign,misc]
    assert likeness(method) < 0
