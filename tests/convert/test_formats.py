"""Every release becomes a checkpoint of ours whose results are those of the original network."""

import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor, nn
from torch.nn import functional as F

from tests.convert import originals
from zoo import card, checkpoint
from zoo.cli import convert as command
from zoo.convert.formats import FORMATS, convert
from zoo.errors import CheckpointError, InputError
from zoo.method import Method
from zoo.methods import METHODS
from zoo.methods.adain import AdaIN, adain
from zoo.methods.cartoongan import CartoonGAN
from zoo.methods.cyclegan import CycleGAN
from zoo.methods.dcgan import DCGAN
from zoo.methods.drit import DRIT
from zoo.methods.fast_photo_style import FastPhotoStyle
from zoo.methods.johnson import Johnson
from zoo.methods.munit import MUNIT
from zoo.methods.style_swap import StyleSwap
from zoo.nn import vgg

KINDS: list[type[Method]] = [
    AdaIN, CartoonGAN, CycleGAN, DCGAN, DRIT, FastPhotoStyle, Johnson, MUNIT, StyleSwap,
]  # fmt: skip


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in KINDS:
        monkeypatch.setitem(METHODS, kind.name, kind)


@pytest.fixture(autouse=True)
def without_gradients() -> Any:
    with torch.no_grad():
        yield


def picture(seed: int, height: int = 64, width: int = 80) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(1, 3, height // 4, width // 4, generator=generator)
    large = F.interpolate(small, (height, width), mode="bicubic")
    return (large + 0.1 * torch.rand(1, 3, height, width, generator=generator)).clamp(0, 1)


def released(net: nn.Module, folder: Path, name: str = "net.pth") -> Path:
    torch.save(net.state_dict(), folder / name)
    return folder / name


def loaded(name: str, file: Path, second: Path | None = None) -> Any:
    """The checkpoint that a file was turned into, read again from its folder."""
    out = file.parent / "out"
    convert(name, file, out, second=second)
    return checkpoint.load(out)


def assert_same(found: Tensor, expected: Tensor) -> None:
    """Within 1e-4 of pictures in [0, 1], and there is something in them."""
    assert expected.std() > 0.02
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("blocks", [6, 9])
def test_cyclegan(blocks: int, tmp_path: Path) -> None:
    nets = [originals.cyclegan(8, blocks) for _ in range(2)]
    for seed, net in enumerate(nets):
        originals.randomise(net, seed)
    there, back = (released(net, tmp_path, f"{i}.pth") for i, net in enumerate(nets))
    method = loaded("cyclegan", there, back)
    photo = picture(0)
    for direction, net in zip(("AtoB", "BtoA"), nets, strict=True):
        expected = 0.5 + 0.5 * originals.run_cyclegan(net, 2 * photo - 1, blocks)
        assert_same(method(photo, direction=direction), expected)


def test_cyclegan_of_one_direction(tmp_path: Path) -> None:
    net = originals.cyclegan(4, 6)
    originals.randomise(net)
    state = dict(net.state_dict())
    state["model.2.running_mean"] = torch.zeros(4)  # of early versions, and never used
    torch.save({f"module.{key}": value for key, value in state.items()}, tmp_path / "net.pth")
    method = loaded("cyclegan", tmp_path / "net.pth")
    photo = picture(1)
    expected = 0.5 + 0.5 * originals.run_cyclegan(net, 2 * photo - 1, 6)
    assert_same(method(photo), expected)
    with pytest.raises(InputError, match="one direction"):
        method(photo, direction="BtoA")


def test_cartoongan(tmp_path: Path) -> None:
    net = originals.cartoongan(8)
    originals.randomise(net)
    method = loaded("cartoongan", released(net, tmp_path))
    photo = picture(0)
    expected = 0.5 + 0.5 * originals.run_cartoongan(net, 2 * photo.flip(1) - 1).flip(1)
    assert_same(method(photo), expected)


def test_fast_neural_style(tmp_path: Path) -> None:
    net = originals.fast_neural_style(8)
    originals.randomise(net)
    last = net["deconv3.conv2d"]
    assert isinstance(last, nn.Conv2d)
    last.weight.mul_(30)
    assert last.bias is not None
    last.bias.fill_(128)
    state = dict(net.state_dict())
    state["in1.running_mean"] = torch.zeros(8)
    torch.save(state, tmp_path / "candy.pth")
    method = loaded("fast_neural_style", tmp_path / "candy.pth")
    photo = picture(0)
    expected = (originals.run_fast_neural_style(net, 255 * photo) / 255).clamp(0, 1)
    assert ((expected == 0) | (expected == 1)).float().mean() < 0.5
    assert_same(method(photo), expected)
    assert method.config.style == "candy"


def caffe_colors(net: originals.Layers, name: str) -> None:
    """What the colour convolutions of the releases hold: BGR in 0..255 less its mean."""
    layer = net[name]
    assert isinstance(layer, nn.Conv2d)
    assert layer.bias is not None
    layer.weight.copy_(255 * torch.eye(3).flip(0)[:, :, None, None])
    layer.bias.copy_(torch.tensor([-103.939, -116.779, -123.68]))


def test_adain(tmp_path: Path) -> None:
    decoder, encoder = originals.adain_decoder(), originals.vgg_normalised()
    originals.randomise(decoder)
    originals.randomise(encoder, 1)
    caffe_colors(encoder, "0")
    first = encoder["2"]
    assert isinstance(first, nn.Conv2d)
    first.weight.div_(100)
    method = loaded(
        "adain", released(decoder, tmp_path), released(encoder, tmp_path, "vgg_normalised.pth")
    )
    photo, style = picture(0), picture(1)
    features = [originals.run_vgg_normalised(encoder, p) for p in (photo, style)]
    torch.testing.assert_close(method.encode(photo), features[0], atol=1e-4, rtol=1e-4)
    plain = originals.run_adain_decoder(decoder, features[0])
    assert plain.std() > 0.02
    torch.testing.assert_close(method.decode(features[0]), plain, atol=1e-4, rtol=0)
    expected = originals.run_adain_decoder(decoder, adain(*features)).clamp(0, 1)
    assert_same(method(photo, style), expected)


def test_photo_wct(tmp_path: Path) -> None:
    net = originals.photo_wct()
    originals.randomise(net)
    caffe_colors(net, "e4.conv0")
    first = net["e4.conv1_1"]
    assert isinstance(first, nn.Conv2d)
    first.weight.div_(100)
    state = net.state_dict()
    for key in state:
        if key[:2] in ("e1", "e2", "e3"):
            state[key].copy_(state[f"e4{key[2:]}"])
        if key.endswith("conv1_1.weight") and key.startswith("d"):
            state[key].mul_(0.1)
        if key.endswith("conv1_1.bias") and key.startswith("d"):
            state[key].fill_(0.5)
    method = loaded("photo_wct", released(net, tmp_path))
    # More places than channels at the deepest level: fewer leave a covariance with zeros, of which
    # rounding makes something else on each processor.
    photo, style = picture(0, 224, 224), picture(1, 224, 224)
    expected = originals.run_photo_wct(net, photo, style).clamp(0, 1)
    assert ((expected == 0) | (expected == 1)).float().mean() < 0.5
    assert_same(method(photo, style, smoothing="none"), expected)
    state["e2.conv1_1.bias"].add_(1)
    with pytest.raises(CheckpointError, match=r"e2\.conv1_1\.bias"):
        convert("photo_wct", released(net, tmp_path), tmp_path / "other")


def test_style_swap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = originals.style_swap()
    originals.randomise(net)
    last = net["rc5.conv"]
    assert isinstance(last, nn.Conv2d)
    last.weight.mul_(0.3)
    encoder = vgg.VGG19("torchvision")  # torchvision's weights need a download
    originals.randomise(encoder, 1)
    key = ("torchvision", "max", torch.device("cpu"), torch.float32)
    monkeypatch.setitem(vgg._cache, key, encoder)
    method = loaded("style_swap", released(net, tmp_path))
    photo, style = picture(0, 40, 48), picture(1, 48, 40)
    mean, deviation = (
        torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    features = []
    for x in (photo, style):
        x = (x - mean) / deviation
        for name in vgg.CONVS[: vgg.CONVS.index("3_1") + 1]:
            layer = encoder.convs[name]
            assert isinstance(layer, nn.Conv2d)
            x = F.max_pool2d(x, 2) if name in ("2_1", "3_1") else x
            x = F.relu(F.conv2d(x, layer.weight, layer.bias, padding=1))
        features.append(x)
    made = originals.run_style_swap(net, *features)
    expected = (made * deviation + mean).clamp(0, 1)
    assert ((expected == 0) | (expected == 1)).float().mean() < 0.5
    assert_same(method(photo, style), expected)


def test_dcgan(tmp_path: Path) -> None:
    net = originals.dcgan(4, 20)
    originals.randomise(net)
    method = loaded("dcgan", released(net, tmp_path))
    codes = torch.randn(3, 20, generator=torch.Generator().manual_seed(0))
    expected = 0.5 + 0.5 * originals.run_dcgan(net.eval(), codes)
    assert expected.shape == (3, 3, 64, 64)
    assert_same(method.render(None, codes), expected)


def test_munit(tmp_path: Path) -> None:
    nets = {name: originals.munit(8, 3) for name in ("a", "b")}
    for seed, net in enumerate(nets.values()):
        originals.randomise(net, seed)
    file = tmp_path / "gen_00001000.pt"
    torch.save({name: net.state_dict() for name, net in nets.items()}, file)
    method = loaded("munit", file)
    photo, style = picture(0), picture(1)
    codes = torch.randn(2, 8, generator=torch.Generator().manual_seed(0))
    content = originals.munit_content(nets["a"], 2 * photo - 1, 3)
    for code, found in zip(codes.split(1), method.render(photo, codes).split(1), strict=True):
        expected = originals.munit_decode(nets["b"], content, code, 3)
        assert_same(found, 0.5 + 0.5 * expected)
    wanted = originals.munit_style(nets["b"], 2 * style - 1)
    torch.testing.assert_close(
        method.domain("B").encode_style(2 * style - 1), wanted, atol=1e-4, rtol=1e-4
    )
    back = originals.munit_content(nets["b"], 2 * photo - 1, 3)
    expected = originals.munit_decode(nets["a"], back, codes[:1], 3)
    assert_same(method.render(photo, codes[:1], "BtoA"), 0.5 + 0.5 * expected)


@pytest.mark.parametrize("concat", [True, False])
def test_drit(concat: bool, tmp_path: Path) -> None:
    nets = originals.drit(8, concat)
    for seed, net in enumerate(nets.values()):
        originals.randomise(net, seed)
    file = tmp_path / "01199.pth"
    state: dict[str, Any] = {name: net.state_dict() for name, net in nets.items()}
    state |= {"disA": {"model.0.weight": torch.zeros(1)}, "ep": 1199, "total_it": 10}
    state["gen_opt"] = {"state": {0: {"exp_avg": torch.zeros(1)}}, "param_groups": [{"lr": 1.0}]}
    torch.save(state, file)
    method = loaded("drit", file)
    photo, style = picture(0), picture(1)
    code = torch.randn(1, 8, generator=torch.Generator().manual_seed(0))
    for before, after in (("A", "B"), ("B", "A")):
        content = originals.drit_content(nets["enc_c"], 2 * photo - 1, before)
        made = originals.drit_generate(nets["gen"], content, code, after, concat)
        assert_same(method.render(photo, code, f"{before}to{after}"), 0.5 + 0.5 * made)
        wanted = originals.drit_attribute(nets["enc_a"], 2 * style - 1, after, concat)
        found, _ = method.encode_attribute(2 * style - 1, after)
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


def test_the_command_writes_a_card_that_names_file_and_licence(tmp_path: Path) -> None:
    file = tmp_path / "gen.pt"
    nets = {name: originals.munit(4, 1).state_dict() for name in ("a", "b")}
    torch.save(nets, file)
    words = ["munit", str(file), str(tmp_path / "out"), "--half"]
    done = CliRunner().invoke(command, words, catch_exceptions=False)
    assert done.exit_code == 0
    assert "Not for commercial use" in done.output
    facts = card.parse((tmp_path / "out" / "README.md").read_text())
    assert facts.license == "cc-by-nc-sa-4.0"
    assert "Not for commercial use" in facts.license_note
    assert "converted" in facts.tags
    (limit,) = facts.limits
    assert "NVlabs/MUNIT" in limit
    assert hashlib.sha256(file.read_bytes()).hexdigest() in limit
    sizes = sum(4 * t.numel() for net in nets.values() for t in net.values())
    assert (tmp_path / "out" / "model.safetensors").stat().st_size < 0.6 * sizes
    assert "--second" in CliRunner().invoke(command, ["--help"]).output


def test_every_format_says_whose_it_is() -> None:
    for kind in FORMATS.values():
        assert "/" in kind.source
        assert kind.terms.endswith(".")
        assert kind.license in card_licenses()
    restricted = {name for name, kind in FORMATS.items() if "-nc-" in kind.license}
    assert restricted == {"munit", "photo_wct"}


def card_licenses() -> set[str]:
    return {"mit", "bsd-2-clause", "bsd-3-clause", "cc-by-nc-sa-4.0", "other"}


def drop(state: dict[str, Tensor]) -> None:
    del state["model.4.weight"]


def add(state: dict[str, Tensor]) -> None:
    state["model.99.weight"] = torch.zeros(1)


def reshape(state: dict[str, Tensor]) -> None:
    state["model.4.weight"] = state["model.4.weight"][:, :, :1]


def rename(state: dict[str, Tensor]) -> None:
    state["first"] = state.pop("model.1.weight")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (drop, r"lacks model\.4\.weight"),
        (add, r"no place for model\.99\.weight"),
        (reshape, r"model\.4\.weight is 8×4×1×3, not 8×4×3×3"),
        (rename, r"lacks model\.1\.weight"),
    ],
)
def test_what_does_not_fit_is_named(
    spoil: Callable[[dict[str, Tensor]], None], words: str, tmp_path: Path
) -> None:
    state = dict(originals.cyclegan(4, 1).state_dict())
    spoil(state)
    torch.save(state, tmp_path / "net.pth")
    with pytest.raises(CheckpointError, match=words):
        convert("cyclegan", tmp_path / "net.pth", tmp_path / "out")
    assert not (tmp_path / "out").exists()


class Program:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("ran"),)


def test_a_file_with_a_program_in_it_is_refused_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"model.1.weight": Program()}, "net.pth")
    Path("raw.pth").write_bytes(pickle.dumps(Program(), 2))
    Path("text.pth").write_text("nothing")
    torch.save([1, 2], "numbers.pth")
    for name, words in (
        ("net", "could run a program"),
        ("raw", "could run a program"),
        ("text", "cannot be read"),
        ("numbers", "no tensors"),
    ):
        with pytest.raises(CheckpointError, match=words):
            convert("cyclegan", Path(f"{name}.pth"), Path("out"))
    assert not Path("ran").exists()


def test_a_wrong_call_is_explained(tmp_path: Path) -> None:
    file = tmp_path / "net.pth"
    torch.save({"a": torch.zeros(1)}, file)
    for name, values, words in (
        ("nothing", {}, "no format “nothing”"),
        ("adain", {}, "vgg_normalised"),
        ("munit", {"second": file}, "one file"),
        ("munit", {"out": tmp_path}, "there already"),
        ("munit", {"file": tmp_path / "none"}, "no file"),
    ):
        given: dict[str, Any] = {"file": file, "out": tmp_path / "out"} | values
        with pytest.raises(InputError, match=words):
            convert(name, **given)


def test_the_documentation_has_a_row_for_every_format() -> None:
    rows = (Path(__file__).parents[2] / "docs" / "convert.md").read_text().splitlines()
    named = [line.split("`")[1] for line in rows if line.startswith("| `")]
    assert named == list(FORMATS)
    for line, kind in zip((r for r in rows if r.startswith("| `")), FORMATS.values(), strict=True):
        assert kind.source.split()[0] in line
        assert ("--second" in line) == bool(kind.second)
        assert ("not for commercial use" in line) == ("Not for commercial use" in kind.terms)
