"""Straight readings of published training loops, for `benchmarks.training` to measure beside.

They do what the authors' scripts do, with the same networks, batch and crop as the recipes here:
pictures decoded and resized by a data loader for every batch, float32, one pass for each purpose.
Nothing here is meant for training: there is no resuming and nothing is saved.
"""

import itertools
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from zoo.nn.blocks import Transform, decoder
from zoo.nn.vgg import CONVS, VGG19, vgg19


class Folder(Dataset[Tensor]):
    """Pictures as the published scripts read them."""

    def __init__(self, folder: Path, load_size: int, size: int) -> None:
        self.paths = sorted(folder.iterdir())
        self.transform = transforms.Compose(
            [transforms.Resize(load_size), transforms.RandomCrop(size), transforms.ToTensor()]
        )

    def __len__(self) -> int:
        return 10**6

    def __getitem__(self, number: int) -> Tensor:
        with Image.open(self.paths[number % len(self.paths)]) as picture:
            return self.transform(picture.convert("RGB"))


def batches(folder: Path, load_size: int, size: int, batch_size: int) -> Iterator[Tensor]:
    """Endless batches ``(B, 3, size, size)`` in [0, 1]."""
    return iter(DataLoader(Folder(folder, load_size, size), batch_size, num_workers=2))


class PlainVGG(nn.Module):
    """VGG-19 as a list of layers, run to the end of the list, whatever is asked for."""

    def __init__(self, encoder: VGG19, last: str, wanted: tuple[str, ...]) -> None:
        super().__init__()
        self.matrix, self.mean, self.wanted = encoder.matrix, encoder.mean, wanted
        self.names = CONVS[: CONVS.index(last) + 1]
        self.layers = nn.ModuleList(nn.Conv2d(1, 1, 1) for _ in self.names)
        for layer, name in zip(self.layers, self.names, strict=True):
            layer.weight = nn.Parameter(encoder.convs[name].weight.contiguous())  # type: ignore[operator]
            layer.bias = encoder.convs[name].bias
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Map ``(B, 3, H, W)`` in [0, 1] to the features wanted, shallowest first."""
        x, found = F.conv2d(x - self.mean, self.matrix), []
        for name, layer in zip(self.names, self.layers, strict=True):
            if name.endswith("_1") and name != "1_1":
                x = F.max_pool2d(x, 2)
            x = F.relu(F.conv2d(x, layer.weight, layer.bias, padding=1))  # type: ignore[arg-type]
            if name in self.wanted:
                found.append(x)
        return found


def published_adain(
    photos: Path, paintings: Path, load_size: int, size: int, batch_size: int, device: str
) -> Callable[[], None]:
    """The loop of Huang & Belongie."""
    vgg = PlainVGG(vgg19(device=device), "4_1", ("1_1", "2_1", "3_1", "4_1"))
    net = decoder(4).to(device)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-4)
    contents, styles = (batches(f, load_size, size, batch_size) for f in (photos, paintings))

    def statistics(x: Tensor) -> tuple[Tensor, Tensor]:
        flat = x.view(x.shape[0], x.shape[1], -1)
        return flat.mean(2)[..., None, None], (flat.var(2) + 1e-5).sqrt()[..., None, None]

    def step() -> None:
        content, style = next(contents).to(device), next(styles).to(device)
        style_features, content_feature = vgg(style), vgg(content)[-1]
        (mean, std), (m, s) = statistics(style_features[-1]), statistics(content_feature)
        target = (content_feature - m) / s * std + mean
        found = vgg(net(target))
        loss = F.mse_loss(found[-1], target)
        for a, b in zip(found, style_features, strict=True):
            (m, s), (mean, std) = statistics(a), statistics(b)
            loss = loss + 10 * (F.mse_loss(m, mean) + F.mse_loss(s, std))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def published_johnson(
    photos: Path, style: Path, load_size: int, size: int, batch_size: int, device: str
) -> Callable[[], None]:
    """The loop of Johnson et al., as pytorch/examples tells it."""
    vgg = PlainVGG(vgg19(device=device), "4_3", ("1_2", "2_2", "3_3", "4_3"))
    net = Transform(32).to(device)
    mix = torch.ones(1, 1, device=device)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    contents = batches(photos, load_size, size, batch_size)

    def gram(x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        flat = x.view(b, c, h * w)
        return flat.bmm(flat.transpose(1, 2)) / (c * h * w)

    picture = transforms.ToTensor()(Image.open(style).convert("RGB").resize((256, 256)))
    targets = [gram(f) for f in vgg(picture[None].to(device))]

    def step() -> None:
        content = next(contents).to(device)
        made = net(content, mix).contiguous()
        found, wanted = vgg(made), vgg(content)
        loss = F.mse_loss(found[1], wanted[1])
        for f, g in zip(found, targets, strict=True):
            loss = loss + 5 * F.mse_loss(gram(f), g.expand(len(content), -1, -1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def _block(
    before: int,
    after: int,
    kernel: int,
    stride: int = 1,
    norm: bool = True,
    activation: nn.Module | None = None,
) -> list[nn.Module]:
    """Mirror, convolve, normalise, activate."""
    pad = (kernel - stride + 1) // 2
    layers: list[nn.Module] = [nn.ReflectionPad2d(pad), nn.Conv2d(before, after, kernel, stride)]
    if norm:
        layers.append(nn.InstanceNorm2d(after))
    return layers if activation is None else [*layers, activation]


class PlainResidual(nn.Module):
    """Two convolutions and what came in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_block(channels, channels, 3, activation=nn.ReLU()), *_block(channels, channels, 3)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, C, H, W)``."""
        return x + self.body(x)


def cyclegan_generator(width: int, blocks: int) -> nn.Sequential:
    """The residual network of Zhu et al., with transposed convolutions."""
    w = width
    return nn.Sequential(
        *_block(3, w, 7, activation=nn.ReLU()),
        *(nn.Conv2d(w, 2 * w, 3, 2, 1), nn.InstanceNorm2d(2 * w), nn.ReLU()),
        *(nn.Conv2d(2 * w, 4 * w, 3, 2, 1), nn.InstanceNorm2d(4 * w), nn.ReLU()),
        *(PlainResidual(4 * w) for _ in range(blocks)),
        *(nn.ConvTranspose2d(4 * w, 2 * w, 3, 2, 1, 1), nn.InstanceNorm2d(2 * w), nn.ReLU()),
        *(nn.ConvTranspose2d(2 * w, w, 3, 2, 1, 1), nn.InstanceNorm2d(w), nn.ReLU()),
        *(nn.ReflectionPad2d(3), nn.Conv2d(w, 3, 7), nn.Tanh()),
    )


def patch_discriminator(width: int) -> nn.Sequential:
    """Scores of overlapping squares of 70 pixels."""
    layers: list[nn.Module] = [nn.Conv2d(3, width, 4, 2, 1), nn.LeakyReLU(0.2)]
    for before, stride in ((1, 2), (2, 2), (4, 1)):
        layers += [
            nn.Conv2d(before * width, 2 * before * width, 4, stride, 1),
            nn.InstanceNorm2d(2 * before * width),
            nn.LeakyReLU(0.2),
        ]
    return nn.Sequential(*layers, nn.Conv2d(8 * width, 1, 4, 1, 1))


def published_cyclegan(
    domain_a: Path, domain_b: Path, load_size: int, size: int, width: int, device: str
) -> Callable[[], None]:
    """The loop of Zhu et al.: nine blocks, batch 1, a pool of 50, identity."""
    to_b, to_a = (cyclegan_generator(width, 9).to(device) for _ in range(2))
    judge_a, judge_b = (patch_discriminator(width).to(device) for _ in range(2))
    adam = {"lr": 2e-4, "betas": (0.5, 0.999)}
    forgers = torch.optim.Adam(itertools.chain(to_b.parameters(), to_a.parameters()), **adam)  # type: ignore[arg-type]
    judges = torch.optim.Adam(itertools.chain(judge_a.parameters(), judge_b.parameters()), **adam)  # type: ignore[arg-type]
    streams = [batches(folder, load_size, size, 1) for folder in (domain_a, domain_b)]
    pools: dict[nn.Module, list[Tensor]] = {judge_a: [], judge_b: []}

    def score(found: Tensor, wanted: float) -> Tensor:
        return F.mse_loss(found, torch.full_like(found, wanted))

    def traded(pool: list[Tensor], made: Tensor) -> Tensor:
        if len(pool) < 50:
            pool.append(made)
            return made
        if random.random() < 0.5:
            return made
        place = random.randrange(50)
        made, pool[place] = pool[place], made
        return made

    def step() -> None:
        a, b = (2 * next(stream).to(device) - 1 for stream in streams)
        fake_b, fake_a = to_b(a), to_a(b)
        back_a, back_b = to_a(fake_b), to_b(fake_a)
        for judge in (judge_a, judge_b):
            judge.requires_grad_(False)
        forgers.zero_grad()
        identity = F.l1_loss(to_b(b), b) + F.l1_loss(to_a(a), a)
        cycle = F.l1_loss(back_a, a) + F.l1_loss(back_b, b)
        fooling = score(judge_b(fake_b), 1) + score(judge_a(fake_a), 1)
        (fooling + 10 * cycle + 5 * identity).backward()
        forgers.step()
        for judge in (judge_a, judge_b):
            judge.requires_grad_(True)
        judges.zero_grad()
        for judge, real, fake in ((judge_a, a, fake_a), (judge_b, b, fake_b)):
            shown = traded(pools[judge], fake.detach())
            (0.5 * (score(judge(real), 1) + score(judge(shown), 0))).backward()
        judges.step()

    return step


class PlainMUNIT(nn.Module):
    """Encoders and decoder of one kind of picture, as Huang et al. describe them."""

    def __init__(self, width: int, blocks: int = 4) -> None:
        super().__init__()
        w = width
        self.content = nn.Sequential(
            *_block(3, w, 7, activation=nn.ReLU()),
            *_block(w, 2 * w, 4, 2, activation=nn.ReLU()),
            *_block(2 * w, 4 * w, 4, 2, activation=nn.ReLU()),
            *(PlainResidual(4 * w) for _ in range(blocks)),
        )
        self.style = nn.Sequential(
            *_block(3, w, 7, norm=False, activation=nn.ReLU()),
            *_block(w, 2 * w, 4, 2, norm=False, activation=nn.ReLU()),
            *_block(2 * w, 4 * w, 4, 2, norm=False, activation=nn.ReLU()),
            *_block(4 * w, 4 * w, 4, 2, norm=False, activation=nn.ReLU()),
            *_block(4 * w, 4 * w, 4, 2, norm=False, activation=nn.ReLU()),
            *(nn.AdaptiveAvgPool2d(1), nn.Conv2d(4 * w, 8, 1)),
        )
        self.statistics = nn.Sequential(
            *(nn.Linear(8, 4 * w), nn.ReLU(), nn.Linear(4 * w, 4 * w), nn.ReLU()),
            nn.Linear(4 * w, 4 * blocks * 4 * w),
        )
        self.convs = nn.ModuleList(
            nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(4 * w, 4 * w, 3))
            for _ in range(2 * blocks)
        )
        self.up = nn.Sequential(
            *(nn.Upsample(scale_factor=2), *_block(4 * w, 2 * w, 5, norm=False)),
            *(nn.GroupNorm(1, 2 * w), nn.ReLU()),
            *(nn.Upsample(scale_factor=2), *_block(2 * w, w, 5, norm=False)),
            *(nn.GroupNorm(1, w), nn.ReLU()),
            *(*_block(w, 3, 7, norm=False), nn.Tanh()),
        )

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Content and style of ``(B, 3, H, W)`` in [-1, 1]."""
        return self.content(images), self.style(images)

    def decode(self, content: Tensor, style: Tensor) -> Tensor:
        """A picture of both, in [-1, 1]."""
        rows = self.statistics(style.flatten(1)).unflatten(1, (len(self.convs), 2, -1)).unbind(1)
        x = content
        for number in range(0, len(self.convs), 2):
            y = x
            for place in (number, number + 1):
                shift, scale = (part[..., None, None] for part in rows[place].unbind(1))
                y = F.instance_norm(self.convs[place](y)) * scale + shift
                y = F.relu(y) if place == number else y
            x = x + y
        return self.up(x)


class PlainScales(nn.Module):
    """Discriminators of pictures at three sizes."""

    def __init__(self, width: int) -> None:
        super().__init__()

        def net() -> nn.Sequential:
            sizes = [(3, width)] + [(width * 2**i, width * 2 ** (i + 1)) for i in range(3)]
            layers = [
                layer
                for before, after in sizes
                for layer in _block(before, after, 4, 2, norm=False, activation=nn.LeakyReLU(0.2))
            ]
            return nn.Sequential(*layers, nn.Conv2d(8 * width, 1, 1))

        self.nets = nn.ModuleList(net() for _ in range(3))
        self.pool = nn.AvgPool2d(3, 2, 1, count_include_pad=False)

    def loss(self, images: Tensor, wanted: float) -> Tensor:
        """Squared distance of all scores from ``wanted``."""
        total = images.new_zeros(())
        for net in self.nets:
            total = total + (net(images) - wanted).square().mean()
            images = self.pool(images)
        return total


def published_munit(
    domain_a: Path, domain_b: Path, load_size: int, size: int, width: int, device: str
) -> Callable[[], None]:
    """The loop of Huang et al. with a cycle; discriminators see translations of their own."""
    net_a, net_b = (PlainMUNIT(width).to(device) for _ in range(2))
    judge_a, judge_b = (PlainScales(width).to(device) for _ in range(2))
    adam = {"lr": 1e-4, "betas": (0.5, 0.999), "weight_decay": 1e-4}
    forgers = torch.optim.Adam([*net_a.parameters(), *net_b.parameters()], **adam)  # type: ignore[arg-type]
    judges = torch.optim.Adam([*judge_a.parameters(), *judge_b.parameters()], **adam)  # type: ignore[arg-type]
    streams = [batches(folder, load_size, size, 1) for folder in (domain_a, domain_b)]

    def drawn() -> Tensor:
        return torch.randn(1, 8, 1, 1, device=device)

    def step() -> None:
        a, b = (2 * next(stream).to(device) - 1 for stream in streams)
        judges.zero_grad()
        content_a, content_b = net_a.encode(a)[0], net_b.encode(b)[0]
        fake_a, fake_b = net_a.decode(content_b, drawn()), net_b.decode(content_a, drawn())
        telling = judge_a.loss(fake_a.detach(), 0) + judge_a.loss(a, 1)
        (telling + judge_b.loss(fake_b.detach(), 0) + judge_b.loss(b, 1)).backward()
        judges.step()

        forgers.zero_grad()
        style_a, style_b = drawn(), drawn()
        (content_a, own_a), (content_b, own_b) = net_a.encode(a), net_b.encode(b)
        same_a, same_b = net_a.decode(content_a, own_a), net_b.decode(content_b, own_b)
        fake_a, fake_b = net_a.decode(content_b, style_a), net_b.decode(content_a, style_b)
        (found_b, read_a), (found_a, read_b) = net_a.encode(fake_a), net_b.encode(fake_b)
        back_a, back_b = net_a.decode(found_a, own_a), net_b.decode(found_b, own_b)
        pictures = ((same_a, a), (same_b, b), (back_a, a), (back_b, b))
        codes = (
            *((read_a, style_a), (read_b, style_b)),
            *((found_a, content_a), (found_b, content_b)),
        )
        total = judge_a.loss(fake_a, 1) + judge_b.loss(fake_b, 1)
        total = total + 10 * sum(F.l1_loss(x, y) for x, y in pictures)
        total = total + sum(F.l1_loss(x, y) for x, y in codes)
        total.backward()
        forgers.step()

    return step
