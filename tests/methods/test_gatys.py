"""Gatys against the definition of its loss, and what its options promise."""

import pytest
import torch
from torch.nn import functional as F

from zoo.errors import InputError
from zoo.method import shares
from zoo.methods import gatys
from zoo.methods.gatys import Gatys, GatysConfig, Objective, schedule
from zoo.nn import vgg
from zoo.nn.stats import LEAST
from zoo.nn.vgg import CONVS, VGG19, vgg19


def picture(seed: int, height: int = 64, width: int = 64) -> torch.Tensor:
    """A smooth random picture in [0, 1]."""
    noise = torch.rand(1, 3, 6, 6, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(noise, (height, width), mode="bicubic").clamp(0, 1)


def run(**options: object) -> torch.Tensor:
    options = {"content": picture(0), "style": picture(1), "steps": 10} | options
    *_, last = Gatys(GatysConfig())(**options)
    return last.images


def test_objective_equals_its_definition() -> None:
    content, style, image = picture(0), picture(1), picture(2)
    objective = Objective(vgg19(), content, [(style, 1.0)], content_weight=3, style_weight=50)
    layers = ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"]
    x = vgg19()(image, [*layers, "relu4_2"])
    s = vgg19()(style, layers)
    p = vgg19()(content, ["relu4_2"])["relu4_2"]
    wanted = 3 * (x["relu4_2"] - p).square().mean()
    for layer in layers:
        channels, count = x[layer].shape[1], x[layer].shape[2] * x[layer].shape[3]
        found = x[layer].flatten(2)[0]
        aim = s[layer].flatten(2)[0]
        difference = found @ found.T / count - aim @ aim.T / aim.shape[1]
        wanted = wanted + 50 * difference.square().mean() / channels**2
    assert float(objective(image)) == pytest.approx(float(wanted), rel=1e-4)


def test_the_content_can_be_compared_at_a_deeper_layer() -> None:
    content, image = picture(0), picture(2)
    objective = Objective(
        vgg19(), content, [(picture(1), 1.0)], style_weight=0, content_layer="relu5_2"
    )
    found, wanted = (vgg19()(one, ["relu5_2"])["relu5_2"] for one in (image, content))
    expected = (found - wanted).square().mean()
    assert float(objective(image)) == pytest.approx(float(expected), rel=1e-4)
    assert not torch.equal(run(content_layer="relu5_2"), run())


def halves(width: int) -> torch.Tensor:
    """Two labels side by side, ``(1, 1, 1, width)``."""
    return (torch.arange(width) >= width // 2).long().view(1, 1, 1, -1)


def gradient(objective: Objective, image: torch.Tensor) -> torch.Tensor:
    image = image.clone().requires_grad_()
    objective(image).backward()
    assert image.grad is not None
    return image.grad


def test_regions_have_gram_matrices_of_their_own() -> None:
    content, image = picture(0, 64, 128), picture(2, 64, 128)
    left, right, other = picture(1), picture(3), picture(4)
    maps = halves(128), halves(128)
    first, shares = torch.cat([left, right], 3), (0.75, 0.25)
    styles = list(zip((first, other), shares, strict=True))
    objective = Objective(vgg19(), content, styles, content_weight=0, style_weight=50, maps=maps)
    layers = ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"]
    x, s, o = (vgg19()(one, layers) for one in (image, first, other))
    wanted = torch.zeros(())
    for layer in layers:
        for side in (0, 1):
            halved = [f[layer].chunk(2, 3)[side].flatten(2)[0] for f in (x, s)]
            if halved[1].shape[1] <= LEAST:
                halved[1] = s[layer].flatten(2)[0]
            found, aim, rest = (f @ f.T / f.shape[1] for f in (*halved, o[layer].flatten(2)[0]))
            difference = found - shares[0] * aim - shares[1] * rest
            wanted += 50 / 2 * difference.square().mean() / len(found) ** 2
    assert float(objective(image)) == pytest.approx(float(wanted), rel=1e-4)


def test_what_is_repainted_in_one_region_of_the_style_moves_that_of_the_photo() -> None:
    content, style = picture(0, 64, 320), picture(1, 64, 320)
    repainted = style.clone()
    repainted[..., 256:] **= 3  # further from the left half than relu5_1 sees
    first, second = (
        gradient(Objective(vgg19(), content, [(s, 1.0)], maps=(halves(320),) * 2), content)
        for s in (style, repainted)
    )
    change, size = (g.abs().mean((0, 1, 2)) for g in (first - second, first))
    assert change[:64].max() < 1e-3 * size.mean()
    assert change[240:].mean() > 0.1 * size.mean()


@pytest.mark.parametrize("theirs", [0 * halves(64), 2 + halves(64)], ids=["same", "no like"])
def test_one_region_is_the_whole(theirs: torch.Tensor) -> None:
    content, style, image = picture(0), picture(1), picture(2)
    whole, marked = (
        Objective(vgg19(), content, [(style, 1.0)], maps=maps)
        for maps in (None, (0 * halves(64), theirs))
    )
    assert float(marked(image)) == pytest.approx(float(whole(image)), rel=1e-4)


def test_label_maps_reach_the_loss() -> None:
    maps = {"content_regions": halves(64), "style_regions": halves(64)}
    looks = [next(Gatys(GatysConfig())(picture(0), picture(1), **m)).images for m in ({}, maps)]
    assert not torch.equal(*looks)


def smaller() -> VGG19:
    """A stand-in for torchvision's weights, which need a download: their convention and size.

    It computes what the original weights do, each layer's features smaller by a factor of its own.
    """
    network = VGG19("torchvision")
    state = vgg19().state_dict()
    first = "convs.1_1.weight"
    deviation = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    state[first] = 255 * deviation * state[first].flip(1)
    before = 1.0
    for number, conv in enumerate(CONVS):
        after = 150 * 1.1**number
        state[f"convs.{conv}.weight"] = state[f"convs.{conv}.weight"] * before / after
        state[f"convs.{conv}.bias"] = state[f"convs.{conv}.bias"] / after
        before = after
    network.load_state_dict(state)
    return network.eval().requires_grad_(False)


def test_weights_mean_the_same_whatever_size_an_encoders_features_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = ("torchvision", "max", torch.device("cpu"), torch.float32)
    monkeypatch.setitem(vgg._cache, key, smaller())
    options = {"content": picture(0), "style": picture(1), "steps": 20}
    *_, usual = Gatys(GatysConfig())(**options)
    *_, found = Gatys(GatysConfig(weights="torchvision"))(**options)
    away = (usual.images - picture(0)).abs().mean()
    assert (found.images - usual.images).abs().mean() < 0.1 * away


def test_total_variation_of_a_checkerboard_and_a_flat_picture() -> None:
    y, x = torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij")
    board = ((x + y) % 2).float().expand(1, 3, -1, -1)
    assert float(gatys.total_variation(board)) == pytest.approx(2 * 255**2)
    assert float(gatys.total_variation(torch.full((1, 3, 8, 8), 0.3))) == 0


def test_loss_falls_in_every_window() -> None:
    content, style = picture(0), picture(1)
    objective = Objective(vgg19(), content, [(style, 1.0)])
    losses = [float(objective(image)) for image in gatys.lbfgs(content, objective, 40)]
    windows = [min(losses[i : i + 10]) for i in range(0, 40, 10)]
    assert windows == sorted(windows, reverse=True)
    assert losses[-1] < 0.4 * float(objective(content))


def test_a_step_that_explodes_is_taken_back() -> None:
    """A loss with a cliff: the optimiser must come back from beyond it and return the best."""
    start = torch.full((1, 3, 8, 8), 0.2)

    def cliff(image: torch.Tensor) -> torch.Tensor:
        distance = (image - 0.5).square().mean()
        return torch.where(distance < 0.2, distance, distance * 1e6 * image.mean())

    *_, last = gatys.lbfgs(start, cliff, 30)  # type: ignore[arg-type]
    assert float(cliff(last)) < float(cliff(start))


def test_the_search_does_not_stall_far_from_the_style() -> None:
    """Where the loss bends the wrong way, an unbounded step fails again and again."""
    down, right = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    bold = torch.stack([right // 4 % 2, down // 4 % 2, (right + down) // 6 % 2])[None]
    flat = 0.5 + 0.15 * (torch.sin(right / 9) * torch.cos(down / 13)).expand(1, 3, 64, 64)
    objective = Objective(vgg19(), flat, [(bold, 1.0)])
    *_, result = gatys.optimise(flat, objective, 20, "lbfgs")
    assert objective(result) < 0.1 * objective(flat)


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_both_optimisers_come_closer_to_the_style(optimizer: str) -> None:
    objective = Objective(vgg19(), picture(0), [(picture(1), 1.0)])
    made = run(optimizer=optimizer, steps=20)
    assert float(objective(made)) < 0.8 * float(objective(picture(0)))
    assert float(made.min()) >= 0
    assert float(made.max()) <= 1


def test_bfloat16_is_as_good() -> None:
    objective = Objective(vgg19(), picture(0), [(picture(1), 1.0)])
    exact, method = run(steps=30), Gatys(GatysConfig())
    method.precision = torch.bfloat16
    *_, last = method(picture(0), picture(1), steps=30)
    assert float(objective(last.images)) < 1.5 * float(objective(exact))


def test_seed_decides_the_noise() -> None:
    first, again, other = (run(start="noise", seed=seed) for seed in (4, 4, 5))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_two_equal_styles_are_one_style() -> None:
    one = run()
    two = run(more_styles=[picture(1)], style_weights=[3.0, 1.0])
    assert (one - two).abs().max() < 2 / 255


def test_shares() -> None:
    assert shares([], 4) == [0.25] * 4
    assert shares([3, 1], 2) == [0.75, 0.25]
    with pytest.raises(InputError, match="there are 3 shares for 2 pictures"):
        shares([1, 1, 1], 2)
    for bad in ([0.0, 0.0], [2.0, -1.0]):
        with pytest.raises(InputError, match="use numbers of 0 and above"):
            shares(bad, 2)


@pytest.mark.parametrize("steps", [10, 11, 200])
@pytest.mark.parametrize("shape", [(64, 64), (200, 300), (512, 341), (1000, 1024)])
def test_schedule_ends_at_the_full_size_with_all_steps_spent(
    shape: tuple[int, int], steps: int
) -> None:
    plan = schedule(shape, steps, coarse_to_fine=True)
    sizes = [size for size, _ in plan]
    assert sizes[-1] == shape
    assert sizes == sorted(sizes)
    assert sum(count for _, count in plan) == steps
    assert schedule(shape, steps, coarse_to_fine=False) == [(shape, steps)]


def test_every_step_is_yielded_at_the_full_count() -> None:
    method = Gatys(GatysConfig())
    looks = list(method(picture(0), picture(1), steps=12))
    assert [(look.number, look.total) for look in looks] == [(n, 12) for n in range(1, 13)]


def test_stops_within_one_step() -> None:
    """Closing the iterator ends the work: no evaluation follows."""
    method, network, count = Gatys(GatysConfig()), vgg19(), 0

    def counted(*_: object) -> None:
        nonlocal count
        count += 1

    handle = network.convs["1_1"].register_forward_hook(counted)
    try:
        work = method(picture(0), picture(1), steps=100)
        next(work)
        so_far = count
        work.close()
        assert count == so_far
    finally:
        handle.remove()
