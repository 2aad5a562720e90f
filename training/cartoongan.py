"""Train CartoonGAN on a folder of photos and one of cartoons, or on pairs such as hazy and clear.

python -m training.cartoongan --photos DIR --cartoons DIR --out runs/cartoongan
python -m training.cartoongan --photos HAZY --cartoons CLEAR --pairs pairs.csv --no-edges
    --adversarial-weight 0 --out runs/dehaze

The second line is dehazing from what VGG-19 sees alone. ``--adversarial-weight 1`` adds the
discriminator and ``--cycle-weight 10`` a network that has to bring the haze back. With the two
folders changed about, the same table teaches to add haze.
"""

import csv
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Annotated, cast

import cv2
import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)

from training.adversarial import (
    AdversarialRecipe,
    AdversarialTrainer,
    Exposure,
    PoolSize,
    discriminator_loss,
    exposed,
    frozen,
    generator_loss,
    scales_of,
)
from training.cli import main
from training.data import Pack, content_hash, open_pack
from training.discriminators import cartoon, judge_for
from training.recipe import Cooldown, Photos, Run
from zoo import checkpoint
from zoo.card import Metric
from zoo.color import luminance
from zoo.errors import CheckpointError, InputError
from zoo.methods.cartoongan import CartoonGAN, CartoonGANConfig, Generator
from zoo.nn.stats import gram
from zoo.nn.translation import initialise, spectral
from zoo.nn.vgg import VGG19, vgg19

CONTENT_LAYER = "conv4_4"
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
# Folder of the run with what the second phase began with: the end of the warm-up, or without one
# the weights that the run started from.
INITIALISED = "initialised"
WORST = 2.0  # content error at the end, as a multiple of that
GATED = 24  # pictures of a pack that the gate looks at
LOOKED_AT = 64  # cartoons whose mean Gram matrices are their manner
Repaint = Callable[[Tensor], Tensor]
EPOCH = 5402  # photos of the paper


@dataclass(frozen=True, kw_only=True)
class CartoonGANRecipe(AdversarialRecipe):
    """Train CartoonGAN as its authors' code does (Chen, Lai & Liu, CVPR 2018).

    10 epochs with the content loss alone and 10 in which its rate falls to 0, then 100 with all
    losses at a twentieth of the rate and 100 in which that falls to 0. Where the rate of the second
    phase is that of the first, what the first has learned is lost.
    """

    photos: Photos
    cartoons: Annotated[Path, Field(description="Folder of cartoons, or a pack of one.")]
    pairs: Annotated[
        Path | None,
        Field(
            description="Table (CSV) of a file name in photos and the one in cartoons that shows "
            "the same, a line each; results are then to look like that one, not like the photo."
        ),
    ] = None
    thinned: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Share of pairs whose photo is mixed with what it should become, at "
            "random: a thinner haze, down to none.",
        ),
    ] = 0.0
    exposure: Exposure = 0.0
    steps: Annotated[int, Field(ge=1, le=10**8, description="Optimiser steps.")] = 220 * EPOCH
    warmup: Annotated[
        int, Field(ge=0, le=10**8, description="First steps, with the content loss alone.")
    ] = 20 * EPOCH
    lr: Annotated[float, Field(gt=0, le=1, description="Learning rate after the warm-up.")] = 1e-5
    warmup_gain: Annotated[
        float,
        Field(gt=0, le=1e4, description="Rate at the start of the warm-up, as a multiple of lr."),
    ] = 20.0
    cooldown: Cooldown = 100 / 220
    pool: PoolSize = 50
    blocks: Annotated[int, Field(ge=1, le=32, description="Residual blocks.")] = 8
    convs_per_block: Annotated[
        int, Field(ge=1, le=8, description="Convolutions in a residual block.")
    ] = 2
    look: Annotated[str, Field(description="What people call what it does to a photo.")] = ""
    skip: Annotated[
        bool, Field(description="The network adds a change to the photo; for dehazing.")
    ] = False
    published: Annotated[
        bool, Field(description="The network as published, with its frame and checkerboard.")
    ] = False
    discriminator_width: Annotated[
        int, Field(ge=1, le=512, description="Channels of the discriminator's first layer.")
    ] = 32
    content_weight: Annotated[
        float, Field(ge=0, le=1e6, description="Weight of what VGG-19 sees at conv4_4.")
    ] = 10.0
    encoder_size: Annotated[
        int,
        Field(ge=0, le=2048, description="Side that VGG-19 is shown pictures in; 0 as they are."),
    ] = 224
    adversarial_weight: Annotated[
        float, Field(ge=0, le=1e6, description="Weight of passing for a cartoon; 0 for none.")
    ] = 1.0
    edges: Annotated[
        bool, Field(description="Show the discriminator cartoons without edges as false ones.")
    ] = True
    color_weight: Annotated[
        float,
        Field(ge=0, le=1e6, description="Weight of keeping brightness and colours; the paper's 0."),
    ] = 0.0
    style_weight: Annotated[
        float,
        Field(
            ge=0,
            le=1e6,
            description="Weight of the cartoons' mean Gram matrices, after the warm-up; the "
            "paper's 0.",
        ),
    ] = 0.0
    cycle_weight: Annotated[
        float,
        Field(ge=0, le=1e6, description="Weight of a second network's way back; the paper's 0."),
    ] = 0.0

    def rate(self, step: int) -> float:
        """Learning rate of the ``step``-th update: constant, then falling to 0, in either phase."""
        if step < self.warmup:
            return self.lr * self.warmup_gain * min(1.0, 2 * (1 - step / self.warmup))
        return super().rate(step)


class CartoonGANTrainer(AdversarialTrainer[CartoonGANRecipe]):
    """Content loss alone at first, then with a discriminator that knows what smoothed edges are.

    With pairs, both phases compare a result with the picture that it should be.
    """

    def __init__(self, recipe: CartoonGANRecipe, run: Run) -> None:
        super().__init__(recipe, run)
        if not (recipe.content_weight or recipe.color_weight):
            raise InputError(
                "Nothing ties a result to its photo: give --content-weight or --color-weight more "
                "than 0."
            )
        self.photos = self.stream(recipe.photos, "photos")
        self.cartoons = self.stream(recipe.cartoons, "cartoons")
        if recipe.pairs:
            self.photos.pack = Pairs(
                self.photos.pack, self.cartoons.pack, recipe.pairs, recipe.size
            )
            self.contents["pairs"] = content_hash(recipe.pairs)
        config = CartoonGANConfig(
            width=recipe.width,
            blocks=recipe.blocks,
            convs_per_block=recipe.convs_per_block,
            look=recipe.look,
            skip=recipe.skip,
            published=recipe.published,
        )
        method, back = CartoonGAN(config), Generator(config)
        judge = judge_for(self, lambda: cartoon(recipe.discriminator_width))
        for network in (method, judge, back):
            initialise(network, scales="uniform")
        if recipe.skip:  # begins with the photo itself
            torch.nn.init.normal_(method.generator.last.weight, 0, 1e-3)
        if recipe.spectral:
            spectral(judge)
        self.build(method)
        self.generator = method.generator
        if recipe.cycle_weight:
            self.back = self.opponent(back, "back")
        forgers = [method, back] if recipe.cycle_weight else [method]
        self.forgers = self.optimizer(forgers, "forgers", which=recipe.optimizer)
        if recipe.adversarial_weight:
            self.judge = self.opponent(judge, "judge")
            self.judges = self.optimizer([judge], "judges", rate=recipe.discriminator_rate)
        self.results = self.pool("results", recipe.pool)
        self.encoder = vgg19("caffe", device=self.device, dtype=self.encoder_dtype)
        if recipe.style_weight:
            some = [p.to(self.device) for p in self.cartoons.pack.tensors(LOOKED_AT)]
            with torch.no_grad():
                self.manner = _mean_grams(some, self.encoder)

    def step(self) -> dict[str, Tensor]:
        """Update the generator, and after the warm-up its opponents."""
        recipe = self.recipe
        if self.done == recipe.warmup and (recipe.warmup or recipe.start_from):
            self.begin_second_phase()
        photos, targets = self.varied(self.batch(self.photos))
        whole = self.done >= recipe.warmup
        judged = whole and bool(recipe.adversarial_weight)
        with self.autocast():
            made = self.generator(2 * photos - 1)
        losses = self.likeness(0.5 + 0.5 * made, targets)
        weights = {"content": recipe.content_weight, "color": recipe.color_weight}
        total = sum((weights[n] * loss for n, loss in losses.items()), made.new_zeros(()))
        if whole and recipe.cycle_weight:
            with self.autocast():
                losses["cycle"] = F.l1_loss(self.back(made), 2 * photos - 1)
            total = total + recipe.cycle_weight * losses["cycle"]
        if whole and recipe.style_weight:
            losses["style"] = self.strangeness(0.5 + 0.5 * made)
            total = total + recipe.style_weight * losses["style"]
        if judged:
            with frozen(self.judge), self.autocast():
                scores = self.judge(made)
            losses["adversarial"] = generator_loss(scores, recipe.objective)
            total = total + recipe.adversarial_weight * losses["adversarial"]
        self.update(total, self.forgers)
        if judged:
            losses["discriminator"] = self.judgement(
                made.detach(), targets if recipe.pairs else self.batch(self.cartoons)
            )
        return losses | {"total": total}

    def varied(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        """Photos ``(B, 3, s, s)`` in [0, 1] and what they should become, the same without pairs.

        Differs from the paper [thinned]: some photos get a thinner haze. Haze adds light of the
        air, in proportion to what it takes of the scene's (Koschmieder 1924): so a mixture with the
        clear picture is the same scene in a thinner haze. Whoever has only seen thick haze takes
        haze even from what is clear.

        Differs from the paper [exposure]: photos, with what they should become, are made lighter or
        darker at random. Whoever has only seen rooms of one brightness makes dark photos darker.
        """
        recipe = self.recipe
        photos, targets = batch[:, :3], batch[:, -3:]
        if recipe.thinned:
            picked, kept = self.uniform("thinned", 2, 1, 1, 1).unbind(1)
            photos = targets.lerp(photos, torch.where(picked < recipe.thinned, kept, 1.0))
        if recipe.exposure:
            stops = self.stops("exposure", recipe.exposure)
            photos, targets = (0.5 + 0.5 * exposed(2 * p - 1, stops) for p in (photos, targets))
        return photos, targets

    def likeness(self, made: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """How far results are from what they should show; both ``(B, 3, s, s)`` in [0, 1]."""
        losses = {}
        if self.recipe.content_weight:
            with torch.no_grad():
                wanted = self.seen(targets)
            losses["content"] = F.l1_loss(self.seen(made), wanted)
        if self.recipe.color_weight:
            # Differs from the paper [color_weight]: colours that change cost. VGG-19 hardly sees a
            # tint, and a discriminator takes over that of the film.
            losses["color"] = color_loss(made, targets)
        return losses

    def strangeness(self, made: Tensor) -> Tensor:
        """How far each of ``(B, 3, s, s)`` in [0, 1] is from the manner of the cartoons.

        Differs from the paper [style_weight]: Gram matrices are compared too, for a discriminator
        alone takes very long to find the manner. So do Chen, Liu & Chen (AnimeGAN), of one layer.
        """
        features = self.encoder(made, STYLE_LAYERS)
        ratios = [
            (gram(features[layer]) - wanted).square().sum((1, 2)).mean() / wanted.square().sum()
            for layer, wanted in self.manner.items()
        ]
        return torch.stack(ratios).mean()

    def seen(self, images: Tensor) -> Tensor:
        """What VGG-19 sees in ``(B, 3, s, s)`` in [0, 1]: float32 features."""
        if self.recipe.encoder_size:
            side = (self.recipe.encoder_size, self.recipe.encoder_size)
            images = F.interpolate(images, side, mode="bilinear", align_corners=False)
        return self.encoder(images, [CONTENT_LAYER])[CONTENT_LAYER].float()

    def judgement(self, made: Tensor, cartoons: Tensor) -> Tensor:
        """Update the discriminator; cartoons are ``(B, 3, s, s)`` in [0, 1], results in [-1, 1].

        Differs from the published code [adversarial_weight]: the generator is judged on what it
        makes now, where that code took the judgement of an earlier result from the pool.
        """
        objective = self.recipe.objective
        shown = [2 * cartoons - 1, self.results(made, self.random("results"))]
        if self.recipe.edges:
            shown.append(2 * without_edges(cartoons) - 1)
        with self.autocast():
            # One pass: instance normalisation keeps pictures apart.
            scores = scales_of(self.judge(torch.cat(shown)))
        true, false, *smoothed = zip(*(found.chunk(len(shown)) for found in scores), strict=True)
        loss = discriminator_loss(true, false, objective)
        for also in smoothed:  # false ones as well; a score of 1 in place of a true one is free
            free = [torch.ones_like(found) for found in also]
            loss = loss + discriminator_loss(free, also, objective)
        self.update(loss, self.judges)
        return loss

    def begin_second_phase(self) -> None:
        """Keep what the warm-up made, to compare with, and forget its gradients."""
        self.forgers.optimizer.state.clear()
        if self.accelerator.is_main_process and not self.run.dry_run:
            checkpoint.save(self.result, self.run.out / INITIALISED, torch.float16)

    def sample(self) -> Tensor:
        """Four photos over what becomes of them; with pairs, over what should."""
        batch = self.examples(self.photos, self.columns)
        photos = batch[:, :3]
        rows = [photos, self.result(photos)]
        return torch.cat([*rows, batch[:, 3:]] if self.recipe.pairs else rows)


class Pairs(Pack):
    """Two packs as one of pictures with six channels: a photo's, and those of what it should be.

    Crops and mirrors are then the same for both.

    Args:
        photos: What is to be changed.
        targets: What it should become.
        table: As :func:`paired` reads it.
        side: Of the crops, in pixels.

    Raises:
        InputError: The table cannot be read, names a picture that there is not or two that do not
            lie over each other, or one is smaller than the crops.
    """

    def __init__(self, photos: Pack, targets: Pack, table: Path, side: int) -> None:
        self.photos, self.targets = photos, targets
        numbers = [
            {Path(entry.name).name: number for number, entry in enumerate(pack.entries)}
            for pack in (photos, targets)
        ]
        self.numbers: list[tuple[int, int]] = []
        for names in paired(table, *numbers):
            here, there = (known.get(name) for known, name in zip(numbers, names, strict=True))
            if here is None or there is None:
                first, second = names
                raise InputError(
                    "{table} pairs {first} with {second}, which are not both there.",
                    table=table,
                    first=first,
                    second=second,
                )
            self._fit(here, there, table, side)
            self.numbers.append((here, there))
        if not self.numbers:
            raise InputError("{table} names none of the pictures.", table=table)

    def _fit(self, here: int, there: int, table: Path, side: int) -> None:
        one, other = self.photos.entries[here], self.targets.entries[there]
        sizes = (one.height, one.width), (other.height, other.width)
        if sizes[0] != sizes[1] or min(sizes[0]) < side:
            raise InputError(
                "{table}: {first} has {width} × {height} pixels and {second} {wide} × {high}. Both "
                "need the same size, at least {side} × {side}.",
                table=table,
                first=one.name,
                second=other.name,
                width=one.width,
                height=one.height,
                wide=other.width,
                high=other.height,
                side=side,
            )

    def __len__(self) -> int:
        return len(self.numbers)

    def picture(self, number: int) -> np.ndarray:
        """Pair ``number`` as ``(H, W, 6)`` bytes."""
        here, there = self.numbers[number]
        return np.concatenate([self.photos.picture(here), self.targets.picture(there)], 2)


def read_table(table: Path) -> list[tuple[str, str]]:
    """The first two columns of a CSV file; raises InputError when it has not as many."""
    try:
        with table.open(newline="", encoding="utf-8") as file:
            return [(line[0], line[1]) for line in csv.reader(file) if line]
    except (OSError, UnicodeDecodeError, csv.Error, IndexError) as error:
        raise InputError(
            "{table} is no table of pairs ({reason}).", table=table, reason=error
        ) from error


def paired(table: Path, photos: Container[str], targets: Container[str]) -> list[tuple[str, str]]:
    """The lines of ``table`` as names of a photo and of what it should become, folders aside.

    Either column may come first, so that one table serves both ways. A line of which neither name
    is known, such as a head, is passed over.
    """
    lines = [(Path(first).name, Path(second).name) for first, second in read_table(table)]
    ordered = [
        names if names[0] in photos or names[1] in targets else names[::-1] for names in lines
    ]
    return [names for names in ordered if names[0] in photos or names[1] in targets]


def without_edges(images: Tensor) -> Tensor:
    """Cartoons ``(B, 3, H, W)`` in [0, 1] with their edges smoothed away (section 3.2.1).

    Edges are found by Canny's method and widened to five pixels; there, and only there, the
    picture is blurred.
    """
    pictures = images.mul(255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    smoothed = []
    for picture in pictures:
        picture = np.ascontiguousarray(picture)
        edges = cv2.Canny(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), 100, 200)
        wide = cv2.dilate(edges, np.ones((5, 5), np.uint8))
        blurred = cv2.GaussianBlur(picture, (5, 5), 0)
        smoothed.append(np.where(wide[..., None] > 0, blurred, picture))
    made = torch.from_numpy(np.stack(smoothed)).permute(0, 3, 1, 2).to(images.device)
    return made.to(images.dtype) / 255


def color_loss(images: Tensor, wanted: Tensor) -> Tensor:
    """Distance of luma and, forgiving large ones, of chroma; both ``(B, 3, H, W)`` in [0, 1].

    Chen, Liu & Chen, AnimeGAN (ISICA 2019): absolute in Y, Huber's in U and V.
    """
    (luma, chroma), (wanted_luma, wanted_chroma) = _yuv(images), _yuv(wanted)
    huber = [F.huber_loss(chroma[:, channel], wanted_chroma[:, channel]) for channel in range(2)]
    return F.l1_loss(luma, wanted_luma) + huber[0] + huber[1]


def _yuv(images: Tensor) -> tuple[Tensor, Tensor]:
    images = images.float()
    luma = luminance(images)
    blue, red = 0.492 * (images[:, 2:] - luma), 0.877 * (images[:, :1] - luma)
    return luma, torch.cat([blue, red], 1)


@torch.no_grad()
def style_distance(images: list[Tensor], cartoons: list[Tensor], encoder: VGG19) -> float:
    """How far pictures are from the manner of the cartoons; 0 is the same.

    The mean over :data:`STYLE_LAYERS` of the squared distance between the two sets' mean Gram
    matrices, relative to the square of that of the cartoons.

    Args:
        images: Each ``(1, 3, ·, ·)`` in [0, 1], of any size.
        cartoons: Likewise.
        encoder: VGG-19 on the same device.
    """
    found, wanted = _mean_grams(images, encoder), _mean_grams(cartoons, encoder)
    ratios = [
        (found[layer] - wanted[layer]).square().sum() / wanted[layer].square().sum()
        for layer in STYLE_LAYERS
    ]
    return float(torch.stack(ratios).mean())


def _mean_grams(images: list[Tensor], encoder: VGG19) -> dict[str, Tensor]:
    sums: dict[str, Tensor] = {}
    for image in images:
        for layer, features in encoder(image, STYLE_LAYERS).items():
            sums[layer] = sums.get(layer, 0) + gram(features) / len(images)
    return sums


@torch.no_grad()
def content_error(images: list[Tensor], photos: list[Tensor], encoder: VGG19) -> float:
    """Mean absolute error at conv4_4 of results, relative to the mean size of its features."""
    errors = []
    for image, photo in zip(images, photos, strict=True):
        found, wanted = (encoder(p, [CONTENT_LAYER])[CONTENT_LAYER] for p in (image, photo))
        errors.append((found - wanted).abs().mean() / wanted.abs().mean())
    return float(torch.stack(errors).mean())


def fidelity(made: Sequence[Tensor], wanted: Sequence[Tensor]) -> dict[str, float]:
    """Mean PSNR in dB and mean SSIM of pictures ``(1, 3, H, W)`` in [0, 1]."""
    pairs = list(zip(made, wanted, strict=True))
    return {
        "PSNR": mean(float(peak_signal_noise_ratio(m, w, data_range=(0, 1))) for m, w in pairs),
        "SSIM": mean(
            float(cast(Tensor, structural_similarity_index_measure(m, w, data_range=(0, 1))))
            for m, w in pairs
        ),
    }


@torch.no_grad()
def growth(
    initialised: Repaint,
    final: Repaint,
    photos: list[Tensor],
    cartoons: list[Tensor],
    encoder: VGG19,
) -> dict[str, float]:
    """What the second phase did to the style distance and the content error, as ratios.

    A second phase that goes wrong is known for losing the photo without coming any nearer to the
    cartoon: ``style`` has to be below 1, and ``content`` at most :data:`WORST`.

    Args:
        initialised: The method before the second phase.
        final: The method at the end.
        photos: Each ``(1, 3, H, W)`` in [0, 1]; 8 divides H and W.
        cartoons: Each ``(1, 3, ·, ·)``.
        encoder: VGG-19 on the same device.
    """
    before, after = ([method(photo) for photo in photos] for method in (initialised, final))
    styles = [style_distance(made, cartoons, encoder) for made in (before, after)]
    contents = [content_error(made, photos, encoder) for made in (before, after)]
    return {
        "style": styles[1] / max(styles[0], 1e-12),
        "content": contents[1] / max(contents[0], 1e-12),
    }


@torch.no_grad()
def gate(
    method: CartoonGAN, photos: Sequence[Tensor], recipe: CartoonGANRecipe, run: Path | None
) -> list[Metric]:
    """Refuse weights that are no better than no method at all; for :mod:`training.publish`.

    Args:
        method: Trained.
        photos: ``(1, 3, H, W)`` in [0, 1] each; without any, a cartoonist is not measured.
        recipe: What it was trained by; a dehazer is measured on its pairs.
        run: Folder of the run, with what the warm-up made; None, and that is not compared.

    Raises:
        CheckpointError: The untouched photos are as near to the cartoons, or to what results should
            be; or the second phase did harm.
        InputError: The training pictures are not there any more.
    """
    targets = open_pack(recipe.cartoons, recipe.load_size, Run.packs)
    if recipe.pairs:
        sources = open_pack(recipe.photos, recipe.load_size, Run.packs)
        pairs = Pairs(sources, targets, recipe.pairs, recipe.size).tensors(GATED)
        hazy, clear = [p[:, :3] for p in pairs], [p[:, 3:] for p in pairs]
        before, after = fidelity(hazy, clear), fidelity([method(p) for p in hazy], clear)
        for name, value in after.items():
            if value <= before[name]:
                raise CheckpointError(
                    "{name} is {after}, and of the untouched photos {before}: train it longer.",
                    name=name,
                    after=f"{value:.3g}",
                    before=f"{before[name]:.3g}",
                )
        return []  # what pairs that were not trained on say is for the benchmark
    if not photos:
        return []
    cartoons, encoder = targets.tensors(GATED), vgg19()
    cut = [p[..., : p.shape[2] // 8 * 8, : p.shape[3] // 8 * 8] for p in photos]
    untouched = style_distance(cut, cartoons, encoder)
    reached = style_distance([method(photo) for photo in cut], cartoons, encoder)
    if reached >= untouched:
        raise CheckpointError(
            "The results are no nearer to the cartoons than the photos are ({share} of their style "
            "distance): train it longer, or with a smaller weight of the content.",
            share=f"{reached / untouched:.2f}",
        )
    if run and (run / INITIALISED).is_dir():  # not on the card: what was before does not ship
        warm = cast(CartoonGAN, checkpoint.load(run / INITIALISED))
        ratios = growth(warm, method, cut, cartoons, encoder)
        if ratios["style"] >= 1 or ratios["content"] > WORST:
            raise CheckpointError(
                "The second phase made the style distance {style} times and the content error "
                "{content} times what it began with: lower the rate, or weigh the content more.",
                style=f"{ratios['style']:.2f}",
                content=f"{ratios['content']:.2f}",
            )
    return [
        Metric(
            name="Style distance as a share of the untouched photos'",
            value=round(reached / untouched, 4),
            features="VGG-19",
            data=f"{len(photos)} photos, {len(cartoons)} cartoons",
            better="lower",
        )
    ]


if __name__ == "__main__":
    main(CartoonGANRecipe, CartoonGANTrainer)
