"""The networks that were released, written out from their tables with their own names.

Each is a tree of layers without any order; the functions below say how they are connected.
"""

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Layers(nn.Module):
    """Layers by dotted names, as they are in the state of the original."""

    def __init__(self, layers: Mapping[str, nn.Module]) -> None:
        super().__init__()
        for name, layer in layers.items():
            *path, last = name.split(".")
            place: nn.Module = self
            for step in path:
                if step not in dict(place.named_children()):
                    place.add_module(step, nn.Module())
                place = place.get_submodule(step)
            place.add_module(last, layer)

    def __getitem__(self, name: str) -> nn.Module:
        return self.get_submodule(name)


class Scales(nn.Module):
    """Scale and shift of a normalisation under the names that the original gives them."""

    def __init__(self, channels: int, names: tuple[str, str], *more: int) -> None:
        super().__init__()
        self.names = names
        for name in names:
            self.register_parameter(name, nn.Parameter(torch.zeros(channels, *more)))

    def values(self) -> tuple[Tensor, Tensor]:
        scale, shift = (self.get_parameter(name).view(1, -1, 1, 1) for name in self.names)
        return scale, shift


@torch.no_grad()
def randomise(net: nn.Module, seed: int = 0) -> None:
    """Draw weights that let a signal through, and statistics that are none of a fresh network."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in net.state_dict().items():
        if not tensor.is_floating_point():
            continue
        if tensor.dim() == 2 or (tensor.dim() == 4 and tensor.shape[-1] != 1):
            fan = tensor[0].numel()
            tensor.normal_(0, (2 / fan) ** 0.5, generator=generator)
        elif tensor.dim() == 4:
            tensor.normal_(0, (1 / tensor.shape[1]) ** 0.5, generator=generator)
        elif name.endswith(("bias", "shift", "beta", "mean")):
            tensor.normal_(0, 0.2, generator=generator)
        else:
            tensor.uniform_(0.5, 1.5, generator=generator)


def mirrored(x: Tensor, pad: int) -> Tensor:
    return F.pad(x, (pad, pad, pad, pad), mode="reflect")


def twice(x: Tensor) -> Tensor:
    return x.repeat_interleave(2, 2).repeat_interleave(2, 3)


def conv(i: int, o: int, k: int, s: int = 1, p: int = 0) -> nn.Conv2d:
    return nn.Conv2d(i, o, k, s, p)


def larger(i: int, o: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(i, o, 3, 2, 1, 1)


# junyanz CycleGAN


def cyclegan(w: int, blocks: int) -> Layers:
    layers: dict[str, nn.Module] = {
        "model.1": conv(3, w, 7),
        "model.4": conv(w, 2 * w, 3, 2, 1),
        "model.7": conv(2 * w, 4 * w, 3, 2, 1),
    }
    for i in range(10, 10 + blocks):
        layers |= {f"model.{i}.conv_block.{k}": conv(4 * w, 4 * w, 3) for k in (1, 5)}
    end = 10 + blocks
    layers[f"model.{end}"] = larger(4 * w, 2 * w)
    layers[f"model.{end + 3}"] = larger(2 * w, w)
    layers[f"model.{end + 7}"] = conv(w, 3, 7)
    return Layers(layers)


def run_cyclegan(net: Layers, x: Tensor, blocks: int) -> Tensor:
    x = F.relu(F.instance_norm(net["model.1"](mirrored(x, 3))))
    for i in (4, 7):
        x = F.relu(F.instance_norm(net[f"model.{i}"](x)))
    for i in range(10, 10 + blocks):
        y = F.relu(F.instance_norm(net[f"model.{i}.conv_block.1"](mirrored(x, 1))))
        x = x + F.instance_norm(net[f"model.{i}.conv_block.5"](mirrored(y, 1)))
    for i in (10 + blocks, 13 + blocks):
        x = F.relu(F.instance_norm(net[f"model.{i}"](x)))
    return torch.tanh(net[f"model.{17 + blocks}"](mirrored(x, 3)))


# CartoonGAN-Test-Pytorch


def cartoongan(w: int) -> Layers:
    names = ("scale", "shift")
    layers: dict[str, nn.Module] = {"conv01_1": conv(3, w, 7), "in01_1": Scales(w, names)}
    for i, c in ((2, 2 * w), (3, 4 * w)):
        layers[f"conv0{i}_1"] = conv(c // 2, c, 3, 2, 1)
        layers[f"conv0{i}_2"] = conv(c, c, 3, 1, 1)
        layers[f"in0{i}_1"] = Scales(c, names)
    for i in range(4, 12):
        for k in (1, 2):
            layers[f"conv{i:02}_{k}"] = conv(4 * w, 4 * w, 3)
            layers[f"in{i:02}_{k}"] = Scales(4 * w, names)
    for i, c in ((1, 2 * w), (2, w)):
        layers[f"deconv0{i}_1"] = larger(2 * c, c)
        layers[f"deconv0{i}_2"] = conv(c, c, 3, 1, 1)
        layers[f"in1{i + 1}_1"] = Scales(c, names)
    layers["deconv03_1"] = conv(w, 3, 7)
    return Layers(layers)


def run_cartoongan(net: Layers, x: Tensor) -> Tensor:
    """Takes and gives BGR in [-1, 1]."""

    def norm(x: Tensor, name: str) -> Tensor:
        layer = net[name]
        assert isinstance(layer, Scales)
        scale, shift = layer.values()
        return F.instance_norm(x, eps=1e-9) * scale + shift

    x = F.relu(norm(net["conv01_1"](mirrored(x, 3)), "in01_1"))
    for i in (2, 3):
        x = F.relu(norm(net[f"conv0{i}_2"](net[f"conv0{i}_1"](x)), f"in0{i}_1"))
    for i in range(4, 12):
        y = F.relu(norm(net[f"conv{i:02}_1"](mirrored(x, 1)), f"in{i:02}_1"))
        x = x + norm(net[f"conv{i:02}_2"](mirrored(y, 1)), f"in{i:02}_2")
    for i in (1, 2):
        x = F.relu(norm(net[f"deconv0{i}_2"](net[f"deconv0{i}_1"](x)), f"in1{i + 1}_1"))
    return torch.tanh(net["deconv03_1"](mirrored(x, 3)))


# pytorch/examples fast_neural_style


def fast_neural_style(w: int) -> Layers:
    layers: dict[str, nn.Module] = {}

    def add(name: str, norm: str, i: int, o: int, k: int, s: int = 1) -> None:
        layers[f"{name}.conv2d"] = conv(i, o, k, s)
        if norm:
            layers[norm] = Scales(o, ("weight", "bias"))

    add("conv1", "in1", 3, w, 9)
    add("conv2", "in2", w, 2 * w, 3, 2)
    add("conv3", "in3", 2 * w, 4 * w, 3, 2)
    for r in range(1, 6):
        for k in (1, 2):
            add(f"res{r}.conv{k}", f"res{r}.in{k}", 4 * w, 4 * w, 3)
    add("deconv1", "in4", 4 * w, 2 * w, 3)
    add("deconv2", "in5", 2 * w, w, 3)
    add("deconv3", "", w, 3, 9)
    return Layers(layers)


def run_fast_neural_style(net: Layers, x: Tensor) -> Tensor:
    """Takes and gives RGB in 0..255."""

    def layer(x: Tensor, name: str, norm: str) -> Tensor:
        convolution = net[f"{name}.conv2d"]
        assert isinstance(convolution, nn.Conv2d)
        x = convolution(mirrored(x, convolution.kernel_size[0] // 2))
        scales = net[norm]
        assert isinstance(scales, Scales)
        scale, shift = scales.values()
        return F.instance_norm(x) * scale + shift

    for i in (1, 2, 3):
        x = F.relu(layer(x, f"conv{i}", f"in{i}"))
    for r in range(1, 6):
        y = F.relu(layer(x, f"res{r}.conv1", f"res{r}.in1"))
        x = x + layer(y, f"res{r}.conv2", f"res{r}.in2")
    for i in (1, 2):
        x = F.relu(layer(twice(x), f"deconv{i}", f"in{i + 3}"))
    return net["deconv3.conv2d"](mirrored(x, 4))


# naoto0804 AdaIN

ADAIN_DECODER = ((512, 256), "up", (256, 256), (256, 256), (256, 256), (256, 128), "up",
                 (128, 128), (128, 64), "up", (64, 64), (64, 3))  # fmt: skip
VGG = ((64, 64), (128, 128), (256,) * 4, (512,) * 4, (512,) * 4)


def adain_decoder() -> Layers:
    layers: dict[str, nn.Module] = {}
    place = 1  # of a padding, a convolution and an activation, the convolution
    for row in ADAIN_DECODER:
        if isinstance(row, str):
            place += 1
        else:
            layers[str(place)] = conv(*row, 3)
            place += 3
    return Layers(layers)


def run_adain_decoder(net: Layers, x: Tensor) -> Tensor:
    place = 1
    for row in ADAIN_DECODER:
        if isinstance(row, str):
            x, place = twice(x), place + 1
        else:
            x = net[str(place)](mirrored(x, 1))
            x = x if row[1] == 3 else F.relu(x)
            place += 3
    return x


def vgg_normalised() -> Layers:
    layers: dict[str, nn.Module] = {"0": conv(3, 3, 1)}
    place, before = 2, 3
    for stage in VGG:
        for channels in stage:
            layers[str(place)] = conv(before, channels, 3)
            before, place = channels, place + 3
        place += 1
    return Layers(layers)


def run_vgg_normalised(net: Layers, x: Tensor) -> Tensor:
    """Features at relu4_1."""
    x, place = net["0"](x), 2
    for number, stage in enumerate(VGG[:4], 1):
        for _ in stage[: 1 if number == 4 else None]:
            x = F.relu(net[str(place)](mirrored(x, 1)))
            place += 3
        if number < 4:
            x, place = F.max_pool2d(x, 2, ceil_mode=True), place + 1
    return x


# NVIDIA photo_wct


def photo_wct() -> Layers:
    layers: dict[str, nn.Module] = {}
    for level in (1, 2, 3, 4):
        layers[f"e{level}.conv0"] = conv(3, 3, 1)
        before = 3
        for number, stage in enumerate(VGG[:level], 1):
            for i, channels in enumerate(stage[: 1 if number == level else None], 1):
                layers[f"e{level}.conv{number}_{i}"] = conv(before, channels, 3)
                layers[f"d{level}.conv{number}_{i}"] = conv(channels, before, 3)
                before = channels
    return Layers(layers)


def run_photo_wct(net: Layers, photo: Tensor, style: Tensor) -> Tensor:
    for level in (4, 3, 2, 1):
        found, pools = photo_wct_encode(net, photo, level)
        wanted, _ = photo_wct_encode(net, style, level)
        moved = published_wct(found[0].flatten(1), wanted[0].flatten(1)).view_as(found)
        photo = photo_wct_decode(net, moved, pools, level)
    return photo


Pools = list[tuple[Tensor, torch.Size]]


def photo_wct_encode(net: Layers, x: Tensor, level: int) -> tuple[Tensor, Pools]:
    x, pools = net[f"e{level}.conv0"](x), []
    for number, stage in enumerate(VGG[:level], 1):
        for i in range(1, 2 if number == level else len(stage) + 1):
            x = F.relu(net[f"e{level}.conv{number}_{i}"](mirrored(x, 1)))
        if number < level:
            size = x.shape
            x, indices = F.max_pool2d(x, 2, return_indices=True)
            pools.append((indices, size))
    return x, pools


def photo_wct_decode(net: Layers, x: Tensor, pools: Pools, level: int) -> Tensor:
    for number in range(level, 0, -1):
        for i in range(1 if number == level else len(VGG[number - 1]), 0, -1):
            x = net[f"d{level}.conv{number}_{i}"](mirrored(x, 1))
            x = x if (number, i) == (1, 1) else F.relu(x)
        if number > 1:
            indices, size = pools[number - 2]
            x = F.max_unpool2d(x, indices, [2, 2], output_size=list(size))
    return x


def published_wct(content: Tensor, style: Tensor) -> Tensor:
    """Singular values of covariances, in float64, those below 1e-5 left out."""

    def parts(features: Tensor, more: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        mean = features.mean(1, keepdim=True)
        centred = features - mean
        covariance = centred @ centred.T / (features.shape[1] - 1)
        covariance = covariance + more * torch.eye(len(features), dtype=torch.float64)
        _, values, vectors = torch.linalg.svd(covariance)
        kept = values >= 1e-5
        return mean, centred, values[kept], vectors[kept]

    _, centred, values, vectors = parts(content.double(), 1)
    mean, _, target, rotation = parts(style.double(), 0)
    white = vectors.T @ (values.pow(-0.5)[:, None] * (vectors @ centred))
    return (rotation.T @ (target.sqrt()[:, None] * (rotation @ white)) + mean).float()


# irasin style-swap

SWAP_DECODER = ((256, 128), (128, 128), (128, 64), (64, 64), (64, 3))


def style_swap() -> Layers:
    return Layers({f"rc{n}.conv": conv(i, o, 3) for n, (i, o) in enumerate(SWAP_DECODER, 1)})


def run_style_swap(net: Layers, content: Tensor, style: Tensor) -> Tensor:
    """From features at relu3_1 to a picture of mean 0 and deviation 1."""
    patches = style.unfold(2, 3, 1).unfold(3, 3, 1).permute(0, 2, 3, 1, 4, 5).flatten(0, 2)
    length = patches.flatten(1).norm(dim=1)[:, None, None, None]
    best = F.conv2d(content, patches / length).argmax(1)[0]
    chosen = F.one_hot(best, len(patches)).permute(2, 0, 1)[None].float()
    x = F.conv_transpose2d(chosen, patches)
    x = x / F.conv_transpose2d(chosen, torch.ones_like(patches))
    for number in range(1, 6):
        x = net[f"rc{number}.conv"](mirrored(x, 1))
        x = x if number == 5 else F.relu(x)
        x = twice(x) if number in (1, 3) else x
    return x


# pytorch/examples dcgan


def dcgan(w: int, code: int) -> Layers:
    layers: dict[str, nn.Module] = {}
    sizes = (code, 8 * w, 4 * w, 2 * w, w, 3)
    for n, (i, o) in enumerate(pairwise(sizes)):
        stride = (1, 0) if n == 0 else (2, 1)
        layers[f"main.{3 * n}"] = nn.ConvTranspose2d(i, o, 4, *stride, bias=False)
        if o != 3:
            layers[f"main.{3 * n + 1}"] = nn.BatchNorm2d(o)
    return Layers(layers)


def run_dcgan(net: Layers, codes: Tensor) -> Tensor:
    x = codes[:, :, None, None]
    for n in range(4):
        x = F.relu(net[f"main.{3 * n + 1}"](net[f"main.{3 * n}"](x)))
    return torch.tanh(net["main.12"](x))


# NVlabs MUNIT


def munit(w: int, blocks: int) -> Layers:
    """One domain."""
    layers: dict[str, nn.Module] = {}
    content, style, decoder = "enc_content.model", "enc_style.model", "dec.model"
    for name in (content, style):
        layers[f"{name}.0.conv"] = conv(3, w, 7)
        layers[f"{name}.1.conv"] = conv(w, 2 * w, 4, 2)
        layers[f"{name}.2.conv"] = conv(2 * w, 4 * w, 4, 2)
    for i in (3, 4):
        layers[f"{style}.{i}.conv"] = conv(4 * w, 4 * w, 4, 2)
    layers[f"{style}.6"] = conv(4 * w, 8, 1)
    for i in range(blocks):
        for k in (0, 1):
            layers[f"{content}.3.model.{i}.model.{k}.conv"] = conv(4 * w, 4 * w, 3)
            place = f"{decoder}.0.model.{i}.model.{k}"
            layers[f"{place}.conv"] = conv(4 * w, 4 * w, 3)
            layers[f"{place}.norm"] = Unused(4 * w)
    for i, (a, b) in enumerate(((8, 4 * w), (4 * w, 4 * w), (4 * w, blocks * 16 * w))):
        layers[f"mlp.model.{i}.fc"] = nn.Linear(a, b)
    for i, c in ((2, 4 * w), (4, 2 * w)):
        layers[f"{decoder}.{i}.conv"] = conv(c, c // 2, 5)
        layers[f"{decoder}.{i}.norm"] = Scales(c // 2, ("gamma", "beta"))
    layers[f"{decoder}.5.conv"] = conv(w, 3, 7)
    return Layers(layers)


class Unused(nn.Module):
    """Statistics that adaptive instance normalisation keeps and does not use."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))


def munit_content(net: Layers, x: Tensor, blocks: int) -> Tensor:
    for i, pad in enumerate((3, 1, 1)):
        x = F.relu(F.instance_norm(net[f"enc_content.model.{i}.conv"](mirrored(x, pad))))
    for i in range(blocks):
        name = f"enc_content.model.3.model.{i}.model"
        y = F.relu(F.instance_norm(net[f"{name}.0.conv"](mirrored(x, 1))))
        x = x + F.instance_norm(net[f"{name}.1.conv"](mirrored(y, 1)))
    return x


def munit_style(net: Layers, x: Tensor) -> Tensor:
    for i, pad in enumerate((3, 1, 1, 1, 1)):
        x = F.relu(net[f"enc_style.model.{i}.conv"](mirrored(x, pad)))
    return net["enc_style.model.6"](x.mean((2, 3), keepdim=True)).flatten(1)


def munit_decode(net: Layers, x: Tensor, style: Tensor, blocks: int) -> Tensor:
    numbers = style
    for i in range(3):
        numbers = net[f"mlp.model.{i}.fc"](numbers)
        numbers = numbers if i == 2 else F.relu(numbers)
    channels = x.shape[1]
    taken = 0

    def adain(x: Tensor) -> Tensor:
        nonlocal taken
        bias, weight = numbers[:, taken : taken + 2 * channels].chunk(2, 1)
        taken += 2 * channels
        return F.instance_norm(x) * weight[..., None, None] + bias[..., None, None]

    for i in range(blocks):
        name = f"dec.model.0.model.{i}.model"
        y = F.relu(adain(net[f"{name}.0.conv"](mirrored(x, 1))))
        x = x + adain(net[f"{name}.1.conv"](mirrored(y, 1)))
    for i in (2, 4):
        x = net[f"dec.model.{i}.conv"](mirrored(twice(x), 2))
        mean, deviation = x.mean((1, 2, 3), keepdim=True), x.std((1, 2, 3), keepdim=True)
        norm = net[f"dec.model.{i}.norm"]
        assert isinstance(norm, Scales)
        gamma, beta = norm.values()
        x = F.relu((x - mean) / (deviation + 1e-5) * gamma + beta)
    return torch.tanh(net["dec.model.5.conv"](mirrored(x, 3)))


# HsinYingLee DRIT


def drit(w: int, concat: bool) -> dict[str, Layers]:
    """Encoders and generator, by their names in the file."""
    contents: dict[str, nn.Module] = {}
    attributes: dict[str, nn.Module] = {}
    generator: dict[str, nn.Module] = {}
    residual(contents, "conv_share.0", 4 * w)
    if concat:
        residual(generator, "dec_share.0", 4 * w)
    for domain in ("A", "B"):
        contents[f"conv{domain}.0.model.1"] = conv(3, w, 7)
        contents[f"conv{domain}.1.model.1"] = conv(w, 2 * w, 3, 2)
        contents[f"conv{domain}.2.model.1"] = conv(2 * w, 4 * w, 3, 2)
        for i in (3, 4, 5):
            residual(contents, f"conv{domain}.{i}", 4 * w)
        if concat:
            drit_concat(attributes, generator, domain, w)
        else:
            drit_feature(attributes, generator, domain, w)
    return {"enc_c": Layers(contents), "enc_a": Layers(attributes), "gen": Layers(generator)}


def residual(layers: dict[str, nn.Module], name: str, channels: int) -> None:
    layers |= {f"{name}.model.{k}": conv(channels, channels, 3) for k in (1, 5)}


def enlarging(layers: dict[str, nn.Module], name: str, inputs: int, outputs: int) -> None:
    layers[f"{name}.model.0"] = larger(inputs, outputs)
    layers[f"{name}.model.1"] = Scales(outputs, ("weight", "bias"), 1, 1)


def drit_concat(
    attributes: dict[str, nn.Module], generator: dict[str, nn.Module], domain: str, w: int
) -> None:
    attributes[f"conv_{domain}.1"] = conv(3, w, 4, 2)
    for i in (1, 2, 3):
        name = f"conv_{domain}.{i + 1}"
        attributes[f"{name}.conv.2"] = conv(i * w, i * w, 3)
        attributes[f"{name}.conv.4.1"] = conv(i * w, (i + 1) * w, 3)
        attributes[f"{name}.shortcut.1"] = conv(i * w, (i + 1) * w, 1)
    attributes[f"fc_{domain}.0"] = nn.Linear(4 * w, 8)
    attributes[f"fcVar_{domain}.0"] = nn.Linear(4 * w, 8)
    for i in range(3):
        residual(generator, f"dec{domain}1.{i}", 4 * w + 8)
    enlarging(generator, f"dec{domain}2.0", 4 * w + 16, 2 * w + 8)
    enlarging(generator, f"dec{domain}3.0", 2 * w + 16, w + 8)
    generator[f"dec{domain}4.0"] = nn.ConvTranspose2d(w + 16, 3, 1)


def drit_feature(
    attributes: dict[str, nn.Module], generator: dict[str, nn.Module], domain: str, w: int
) -> None:
    name = f"model_{domain.lower()}"
    sizes = (3, w, 2 * w, 4 * w, 4 * w, 4 * w)
    for i, (a, b) in enumerate(pairwise(sizes)):
        attributes[f"{name}.{3 * i + 1}"] = conv(a, b, 7) if i == 0 else conv(a, b, 4, 2)
    attributes[f"{name}.16"] = conv(4 * w, 8, 1)
    for i, (a, b) in enumerate(((8, 4 * w), (4 * w, 4 * w), (4 * w, 16 * w))):
        generator[f"mlp{domain}.{2 * i}"] = nn.Linear(a, b)
    for i in range(1, 5):
        for half in (1, 2):
            generator[f"dec{domain}{i}.conv{half}.0.1"] = conv(4 * w, 4 * w, 3)
            generator[f"dec{domain}{i}.blk{half}.0"] = conv(8 * w, 8 * w, 1)
            generator[f"dec{domain}{i}.blk{half}.2"] = conv(8 * w, 4 * w, 1)
    enlarging(generator, f"dec{domain}5.0", 4 * w, 2 * w)
    enlarging(generator, f"dec{domain}5.1", 2 * w, w)
    generator[f"dec{domain}5.2"] = nn.ConvTranspose2d(w, 3, 1)


def run_residual(net: Layers, name: str, x: Tensor) -> Tensor:
    y = F.relu(F.instance_norm(net[f"{name}.model.1"](mirrored(x, 1))))
    return x + F.instance_norm(net[f"{name}.model.5"](mirrored(y, 1)))


def run_enlarging(net: Layers, name: str, x: Tensor) -> Tensor:
    x = net[f"{name}.model.0"](x)
    norm = net[f"{name}.model.1"]
    assert isinstance(norm, Scales)
    scale, shift = norm.values()
    return F.relu(F.layer_norm(x, list(x.shape[1:])) * scale + shift)


def repeated(x: Tensor, code: Tensor) -> Tensor:
    return torch.cat([x, code[:, :, None, None].expand(-1, -1, *x.shape[2:])], 1)


def drit_content(net: Layers, x: Tensor, domain: str) -> Tensor:
    x = F.leaky_relu(net[f"conv{domain}.0.model.1"](mirrored(x, 3)), 0.01)
    for i in (1, 2):
        x = F.relu(F.instance_norm(net[f"conv{domain}.{i}.model.1"](mirrored(x, 1))))
    for i in (3, 4, 5):
        x = run_residual(net, f"conv{domain}.{i}", x)
    return run_residual(net, "conv_share.0", x)


def drit_attribute(net: Layers, x: Tensor, domain: str, concat: bool) -> Tensor:
    if not concat:
        name = f"model_{domain.lower()}"
        for i in range(5):
            x = F.relu(net[f"{name}.{3 * i + 1}"](mirrored(x, 3 if i == 0 else 1)))
        return net[f"{name}.16"](x.mean((2, 3), keepdim=True)).flatten(1)
    x = net[f"conv_{domain}.1"](mirrored(x, 1))
    for i in (2, 3, 4):
        name = f"conv_{domain}.{i}"
        y = net[f"{name}.conv.2"](mirrored(F.leaky_relu(x, 0.2), 1))
        y = net[f"{name}.conv.4.1"](mirrored(F.leaky_relu(y, 0.2), 1))
        x = F.avg_pool2d(y, 2) + net[f"{name}.shortcut.1"](F.avg_pool2d(x, 2))
    return net[f"fc_{domain}.0"](F.leaky_relu(x, 0.2).mean((2, 3)))


def drit_generate(net: Layers, x: Tensor, code: Tensor, domain: str, concat: bool) -> Tensor:
    dec = f"dec{domain}"
    if concat:
        x = repeated(run_residual(net, "dec_share.0", x), code)
        for i in range(3):
            x = run_residual(net, f"{dec}1.{i}", x)
        x = run_enlarging(net, f"{dec}2.0", repeated(x, code))
        x = run_enlarging(net, f"{dec}3.0", repeated(x, code))
        return torch.tanh(net[f"{dec}4.0"](repeated(x, code)))
    for i in (0, 2, 4):
        code = net[f"mlp{domain}.{i}"](code)
        code = code if i == 4 else F.relu(code)
    for i, extra in enumerate(code.chunk(4, 1), 1):
        y = x
        for half in (1, 2):
            y = F.instance_norm(net[f"{dec}{i}.conv{half}.0.1"](mirrored(y, 1)))
            y = F.relu(net[f"{dec}{i}.blk{half}.0"](repeated(y, extra)))
            y = F.relu(net[f"{dec}{i}.blk{half}.2"](y))
        x = x + y
    for i in (0, 1):
        x = run_enlarging(net, f"{dec}5.{i}", x)
    return torch.tanh(net[f"{dec}5.2"](x))
