"""What ships, and how each of it is made and judged: the table that :mod:`training.zoo` walks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo import checkpoint
from zoo.card import Metric

WORK = Path("runs/zoo")


@dataclass(frozen=True, kw_only=True)
class Job:
    """How one shipped checkpoint is made and judged.

    Args:
        name: Of its folder in ``zoo/checkpoints``.
        recipe: Module of :mod:`training`.
        data: Where the recipe's pictures are below the data folder, by field: a folder, a file, or
            a text file that lists pictures relative to itself.
        flags: Fields of the recipe that are not at their defaults.
        steps: Budget.
        measure: Names of the figures whose mean decides.
        judge: Module of the benchmarks that measures them; "" for a recipe whose gate does.
        judged_on: Its options, with places as in ``data``.
        held_out: Whether every tenth picture is kept for judging.
        some: Of a folder of styles, only those of these names.
        licenses: What cards say of the pictures, by stream.
        limits: Known limits, for the card.
        contents: Example pictures for the samples.
        contents_b: Likewise of the second kind, for methods that go both ways.
        styles: Example style pictures, likewise.
        size: Longer side of a sample in pixels.
        vary: As :func:`training.publish.publish` takes it.
    """

    name: str
    recipe: str
    data: Mapping[str, str]
    flags: Mapping[str, Any]
    steps: int
    measure: tuple[str, ...]
    judge: str = ""
    judged_on: Mapping[str, str] = field(default_factory=dict)
    held_out: bool = False
    some: tuple[str, ...] = ()
    licenses: Mapping[str, str] = field(default_factory=dict)
    limits: tuple[str, ...] = ()
    contents: tuple[str, ...] = ("photos/pagoda", "photos/astronaut", "photos/cat", "photos/coffee")
    contents_b: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()
    size: int = 512
    vary: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def figures(self, metrics: Iterable[Metric]) -> list[Metric]:
        """Those of ``metrics`` that decide; none where one of them is missing."""
        known = {metric.name: metric for metric in metrics}
        return [known[name] for name in self.measure] if known.keys() >= set(self.measure) else []


@dataclass(frozen=True, kw_only=True)
class Session:
    """Where one call works.

    Args:
        data: The pictures.
        shipped: The checkpoints that ship.
        work: The runs.
        device: "auto" takes a GPU where there is one; or "cpu".
        save_every: Steps between saved states: what a killed process loses at most.
        compile: As that of a run.
    """

    data: Path
    shipped: Path = checkpoint.SHIPPED
    work: Path = WORK
    device: str = "auto"
    save_every: int = 250
    compile: bool = False

    def run(self, job: Job) -> Path:
        """Folder of the run of ``job``."""
        return self.work / job.name


PHOTOS = "mixed photo collections (Flickr8k, ImageNet sample, BSDS500 and others), for research only; not redistributed"  # noqa: E501
PAINTINGS = "reproductions of paintings by more than 200 artists, public domain; photographs of them from WikiArt and the Louvre, not redistributed"  # noqa: E501
COMMONS = (
    "reproduction of a painting in the public domain, from Wikimedia Commons; not redistributed"
)
YOSEMITE = "Flickr photos of Yosemite (CycleGAN's data), for research only; not redistributed"
LANDSCAPES = "landscape photos from mixed collections (Flickr and others), for research only; not redistributed"  # noqa: E501
CHINESE = "Chinese landscape paintings gathered from auction and gallery sites, without a licence, for research only; not redistributed"  # noqa: E501

STYLES = (
    "delaunay_man-with-tulip", "gris_portrait-of-picasso", "hokusai_great-wave",
    "kandinsky_composition-vii", "klimt_the-kiss", "matisse_woman-with-a-hat",
    "mondrian_cubist-composition", "monet_water-lilies-1919", "munch_the-scream", "picabia_udnie",
    "seurat_grande-jatte", "turner_shipwreck-of-the-minotaur", "van-gogh_starry-night",
    "van-gogh_twelve-sunflowers", "van-gogh_wheat-field-with-cypresses",
    "wang-ximeng_thousand-li",
)  # fmt: skip
CAMERA_STYLES = (  # in a network that is small enough for video
    "delaunay_man-with-tulip", "hokusai_great-wave", "kandinsky_composition-vii",
    "mondrian_cubist-composition", "munch_the-scream", "picabia_udnie", "van-gogh_starry-night",
    "wang-ximeng_thousand-li",
)  # fmt: skip
# Style weights may differ, and with them the objective, so it alone does not compare.
YARDSTICK = "Gatys objective, times that of 50 L-BFGS steps"
ON_STYLES = {"photos": "contents", "styles": "styles"}
SHORT = {"precision": "bf16", "lr": 1e-3}
BY_HEART: dict[str, Any] = SHORT | {
    "objective": "gatys4", "tv_weight": 0.2, "style_size": 256, "load_size": 224, "size": 160,
    "batch_size": 4, "width": 16, "cooldown": 0.3, "clip": 1.0,
}  # fmt: skip
# What a textbook optimisation gets in 50 steps is within reach at these weights: below them it is
# done by then, and a network never quite is. A heavier frame term keeps it from getting there: it
# was nearly half of the loss of The Kiss at 3. So does a margin: what is judged sees the encoder's
# black frame, and a network that never saw it leaves a third of its style term there. The rate
# falls from the first step on: at a high one networks that were trained before lose a tenth, and
# hardly more than that comes back. Pictures have the scale that is judged: 500 steps at it brought
# many styles further than 4000 at three quarters of it.
STRONG: dict[str, Any] = {
    "style_weight": 80.0, "load_size": 256, "size": 224, "batch_size": 2, "lr": 1.5e-4,
    "average": 0.98, "cooldown": 1.0, "optimizer": "muon", "frame_weight": 1.0,
    "spike_weight": 0.01, "spike_limit": 15.0,
}  # fmt: skip
# With norms after the residual blocks the network for many styles painted green patches into flat
# areas, which held most of the variance of the last features. Without these norms the patches
# shrank; those of Udnie alone shrank less, and its objective rose. What was left of them was gone
# from a network that `training.narrow` made of that one, from width 24 to 22, and stayed away.
LOOSE: dict[str, Any] = {"loose": True, "spike_weight": 0.05, "spike_limit": 10.0}
ADVERSARIAL: dict[str, Any] = {
    "load_size": 144, "size": 128, "width": 24, "precision": "bf16", "average": 0.998,
}  # fmt: skip
# What is nearest among the examples to each kind of picture.
KINDS = {
    "photo": ("photos/mountains", "photos/pagoda", "photos/dahlia"),
    "Chinese painting": (
        "paintings/zhao-landscape", "paintings/sakai-rivers", "paintings/hiroshige-river",
    ),
    "summer": ("photos/meadow", "photos/stream", "photos/pagoda"),
    "winter": ("photos/mountains", "photos/rocket", "paintings/courbet-sea"),
}  # fmt: skip
PAIRS = {
    "chinese": (
        {"domain_a": "chinese/photos_manifest.txt", "domain_b": "chinese/paintings"},
        {"name_a": "photo", "name_b": "Chinese painting"},
        {"domain_a": LANDSCAPES, "domain_b": CHINESE},
    ),
    "seasons": (
        {"domain_a": "yosemite/summer", "domain_b": "yosemite/winter"},
        {"name_a": "summer", "name_b": "winter"},
        {"domain_a": YOSEMITE, "domain_b": YOSEMITE},
    ),
}
CODED = {"discriminator_width": 24, "lr": 2e-4, "mode_seeking_weight": 0.02, "cooldown": 0.4}
BETWEEN: dict[str, tuple[int, dict[str, Any]]] = {
    "cyclegan": (
        20_000,
        {"blocks": 6, "discriminator_width": 32, "batch_size": 1, "cooldown": 0.5},
    ),
    "munit": (20_000, CODED | {"blocks": 4, "batch_size": 1, "halve_every": 0, "spectral": True}),
    "drit": (12_000, CODED | {"width": 20, "batch_size": 2}),
}
CHANGE: dict[str, Any] = {
    "skip": True, "lr": 3e-4, "clip": 10.0, "prior_weight": 4.0, "cycle_weight": 5.0,
    "discriminator_rate": 3.0, "mode_seeking_weight": 0.005,
}  # fmt: skip
JUDGED: dict[str, Any] = CHANGE | {
    "lr": 2e-4, "objective": "bce", "prior_weight": 10.0, "style_weight": 0.5,
    "mode_seeking_weight": 0.001, "pool": 100, "judge_extra": 7, "judge_warmup": 400,
}  # fmt: skip
INK = (
    "Everything is drawn with what mountains, trees and mist are drawn with, both ways: of people, "
    "houses and flowers only outlines are left."
)
# Discriminators of features learn in minutes what those of pixels did not in hours.
FEATURES: dict[str, Any] = {
    "judged": "features", "objective": "hinge", "spectral": True, "discriminator_width": 64,
    "discriminator_rate": 4.0, "lr": 2e-4, "average": 0.995,
}  # fmt: skip
MORE: dict[str, Any] = {"pool": 100, "judge_extra": 3, "judge_warmup": 150}
LARGER = {"load_size": 192, "size": 160}
# For a GPU: batches of 16 draw whole pictures anew, where one picture a step only changed colours.
DRAWN: dict[str, Any] = {
    "load_size": 192, "size": 176, "batch_size": 16, "lr": 3e-4, "discriminator_rate": 2.0,
    "shift": 8,
}  # fmt: skip
# Translations are judged by another network: by VGG-19's features, which their discriminators look
# at, a CycleGAN with black blots was three times nearer to paintings than the photos were, and by
# those of EfficientNet it was farther away.
SAME_FEATURES = (
    "Discriminators looked at features of the same VGG-19 that KID and FID stand on, other layers "
    "of it; a different network would find less of a gain."
)
# Seasons share every line of a picture, paintings and photos hardly one; yet small networks that
# draw all of it anew leave ghosts and a grid.
OF_PAIRS: dict[tuple[str, str], dict[str, Any]] = {
    # Began with 1400 steps of one picture with norms, which `training.unnormed` took away.
    ("cyclegan", "chinese"): FEATURES | MORE | LARGER | {
        "skip": False, "norm": "none", "cycle_weight": 5.0, "identity_weight": 0.3,
        "exposure": 0.5, "batch_size": 8, "judge_extra": 1, "judge_warmup": 60, "lr": 1.5e-4,
        "cooldown": 0.6, "clip": 1.0, "shift": 8, "checkerboard_weight": 0.5,
    },
    # Began with 1249 steps of half as many pictures at twice the rate.
    ("cyclegan", "seasons"): FEATURES | MORE | {
        "skip": True, "norm": "none", "cycle_weight": 5.0, "identity_weight": 0.2,
        "batch_size": 2, "judge_extra": 1, "lr": 1e-4, "shift": 4,
    },
    # Began with 295 steps of half as many pictures.
    ("munit", "chinese"): FEATURES | DRAWN | {
        "pool": 100, "clip": 10.0, "cycle_weight": 2.0, "prior_weight": 4.0,
        "mode_seeking_weight": 0.001, "guided": 0.5, "judge_warmup": 60, "codes_last": 40,
    },
    # Began with 750 steps of one picture at twice the rate.
    ("munit", "seasons"): JUDGED | FEATURES | MORE | LARGER | {
        "batch_size": 2, "judge_extra": 1, "judge_warmup": 100, "lr": 1e-4, "cooldown": 1.0,
        "shift": 4, "checkerboard_weight": 0.5, "guided": 0.5, "codes_last": 60,
    },
    # Began with 244 steps of half as many pictures.
    ("drit", "chinese"): FEATURES | DRAWN | {
        "clip": 10.0, "cycle_weight": 5.0, "prior_weight": 4.0, "mode_seeking_weight": 0.005,
        "codes_last": 40,
    },
    # Began with 450 steps of half as many pictures, none of them shifted.
    ("drit", "seasons"): CHANGE | FEATURES | {
        "batch_size": 4, "lr": 3e-4, "discriminator_rate": 3.0, "latent_weight": 2.0,
        "cooldown": 1.0, "judge_warmup": 80, "shift": 4, "checkerboard_weight": 0.5,
    },
}  # fmt: skip

LIMITS = {
    ("cyclegan", "chinese"): (
        "Photos lose nearly all colour, and trees become flecks of blue ink. Paintings become "
        "hills in mist, of one kind; people become rocks, and seals pale blots.",
    ),
    ("munit", "chinese"): (INK, "Paintings become rocks with a weave, some under a white sky."),
    ("drit", "chinese"): (INK, "Codes change colours more than brush strokes."),
    ("drit", "seasons"): ("Summers turn skin and night skies greenish.",),
}

FEW_OUTLINES = (
    "The style is strong: of faces little more than outlines is left, and nothing of the photo's "
    "colours; a lower strength keeps more."
)

SMOOTH = "Large areas without any detail, such as a black helmet, get one colour and no strokes."
PATCHES = "In flat or dark areas there can be a patch of another colour, mostly green."


def _johnson(name: str, style: str, limits: tuple[str, ...] = (), **flags: Any) -> Job:
    return Job(
        name=f"johnson-{name}",
        recipe="johnson",
        data={"photos": "photos", "style": f"styles/{style}.jpg"},
        flags=BY_HEART | STRONG | flags,
        steps=6000,
        measure=(YARDSTICK,),
        judge="quality",
        judged_on=ON_STYLES,
        licenses={"photos": PHOTOS, "styles": COMMONS},
        limits=(FEW_OUTLINES, *limits),
    )


def _many_styles(
    name: str, styles: tuple[str, ...], steps: int, limits: tuple[str, ...] = (), **flags: Any
) -> Job:
    return Job(
        name=name,
        recipe="many_styles",
        data={"photos": "photos", "styles": "styles"},
        some=styles,
        flags=BY_HEART | flags,
        steps=steps,
        measure=(YARDSTICK,),
        judge="quality",
        judged_on=ON_STYLES,
        licenses={"photos": PHOTOS, "styles": COMMONS},
        limits=limits,
        size=256,
        vary={"painting": range(len(styles))},
    )


def _between(method: str, pair: str) -> Job:
    steps, usual = BETWEEN[method]
    data, names, licenses = PAIRS[pair]
    flags = ADVERSARIAL | usual | OF_PAIRS[method, pair] | names
    return Job(
        name=f"{method}-{pair}",
        recipe=method,
        data=data,
        flags=flags,
        steps=steps,
        measure=("Independent KID, AtoB", "Independent KID, BtoA"),
        judge="translation",
        judged_on=data,
        held_out=True,
        licenses=licenses,
        limits=(
            *LIMITS.get((method, pair), ()),
            *((SAME_FEATURES,) if flags.get("judged") == "features" else ()),
        ),
        contents=KINDS[names["name_a"]],
        contents_b=KINDS[names["name_b"]],
        size=256,
    )


ANY_STYLE: dict[str, Any] = {
    "judge": "quality",
    "judged_on": ON_STYLES,
    "measure": ("Style loss, share of the photo's",),
    "licenses": {"photos": PHOTOS, "paintings": PAINTINGS},
    "contents": ("photos/pagoda", "photos/astronaut", "photos/cat"),
    "styles": ("paintings/van-gogh-bouquet", "paintings/hiroshige-river", "paintings/redon-vase"),
}
JOBS: tuple[Job, ...] = (
    _johnson("great-wave", "hokusai_great-wave", width=32),
    _johnson("sunflowers", "van-gogh_twelve-sunflowers", (PATCHES,)),
    _johnson("the-kiss", "klimt_the-kiss"),
    _johnson("udnie", "picabia_udnie", (PATCHES,)),
    _many_styles(
        "many-styles",
        STYLES,
        12_000,
        (FEW_OUTLINES, SMOOTH),
        **STRONG
        | LOOSE
        | {"width": 22, "checkerboard_weight": 0.005, "frame_weight": 0.25, "lr": 4e-4},
    ),
    # Began as many styles at width 24, narrowed, and made 2500 steps on crops of 160 first.
    _many_styles(
        "many-styles-camera",
        CAMERA_STYLES,
        8000,
        (FEW_OUTLINES, SMOOTH),
        **STRONG
        | LOOSE
        | {"width": 8, "checkerboard_weight": 0.005, "frame_weight": 0.25, "lr": 4e-4},
    ),
    Job(
        name="adain",
        recipe="adain",
        data={"photos": "photos", "paintings": "paintings"},
        flags={
            "load_size": 256, "size": 160, "batch_size": 4, "width": 32, "precision": "bf16",
            "lr": 3e-4, "warmup": 150, "style_weight": 3.0, "pixel_weight": 10.0, "lr_decay": 0.0,
            "cooldown": 1.0, "clip": 20.0, "average": 0.98, "checkerboard_weight": 2.0,
            "optimizer": "muon",
        },
        steps=6000,
        limits=("Faces and fine lines lose detail; use a lower strength for portraits.",),
        **ANY_STYLE,
    ),
    Job(
        name="style-swap",
        recipe="style_swap",
        data={"photos": "photos", "paintings": "paintings"},
        flags={
            "load_size": 256, "size": 128, "batch_size": 2, "width": 32, "precision": "bf16",
            "lr": 3e-4, "lr_decay": 0.0, "cooldown": 1.0, "clip": 5.0, "average": 0.98,
            "pixel_weight": 10.0, "style_weight": 1.0, "checkerboard_weight": 2.0,
            "optimizer": "muon",
        },
        steps=6000,
        limits=("What stands before a plain background gets a halo.",),
        **ANY_STYLE,
    ),
    Job(
        name="photo-wct",
        recipe="fast_photo_style",
        data={"photos": "photos"},
        flags=SHORT
        | {
            "load_size": 256, "size": 128, "batch_size": 4, "cooldown": 0.5, "clip": 5.0,
            "average": 0.99, "optimizer": "muon", "feature_weight": 0.0,
        },
        steps=8000,
        measure=("Style loss, share of the photo's",),
        judge="quality",
        judged_on=ON_STYLES,
        licenses={"photos": PHOTOS},
        contents=("photos/pagoda", "photos/coffee", "photos/cat"),
        styles=("photos/rocket", "photos/dahlia"),
    ),
    *(_between(method, pair) for method in BETWEEN for pair in PAIRS),
    Job(
        name="dcgan",
        recipe="dcgan",
        data={"portraits": "portraits"},
        flags={
            "size": 64, "load_size": 72, "width": 32, "discriminator_width": 64, "batch_size": 24,
            "precision": "bf16", "augment": "gentle", "cooldown": 0.5, "average": 0.998,
            "judged": "features", "discriminator_rate": 4.0, "lr": 1e-4,
        },
        steps=12_000,
        measure=("KID",),
        judge="generation",
        judged_on={"portraits": "portraits"},
        held_out=True,
        licenses={"portraits": PAINTINGS},
        limits=(
            SAME_FEATURES,
            "Some portraits lack an eye, or have a face that melts.",
        ),
        contents=(),
    ),
    # Began with 2000 steps on crops of 112 of pictures of 144 pixels, and 5700 of one light and of
    # haze as thick as it comes, after which it took haze from clear pictures as well.
    Job(
        name="dehaze",
        recipe="cartoongan",
        data={"photos": "haze/hazy", "cartoons": "haze/clear", "pairs": "haze/pairs.csv"},
        flags={
            "edges": False, "load_size": 384, "size": 224, "width": 16, "blocks": 8,
            "discriminator_width": 24, "batch_size": 2, "precision": "bf16", "encoder_size": 0,
            "content_weight": 0.01, "color_weight": 40.0, "warmup": 400, "lr": 4e-4,
            "warmup_gain": 1.0, "average": 0.98, "cooldown": 1.0, "adversarial_weight": 0.1,
            "skip": True, "look": "Clear air", "optimizer": "muon",
            "thinned": 0.5, "exposure": 1.0,
        },
        steps=2000,
        measure=("PSNR",),
        judge="cartoongan",
        judged_on={"photos": "haze/hazy", "cartoons": "haze/clear", "pairs": "haze/pairs.csv"},
        held_out=True,
        licenses={
            "photos": "hazy pictures of the SOTS test set (RESIDE), for research only; "
            "not redistributed",
            "cartoons": "clear pictures of the same set, likewise",
        },
        limits=(
            "Rooms under synthetic haze alone were seen in training; outdoors, skies come out too "
            "strong, and distance is taken for haze.",
            "A night sky is taken for haze as well and comes out black, as among the samples; a "
            "lower strength keeps it.",
        ),
        contents=("photos/pagoda", "photos/rocket"),
    ),
    # Began with 7500 steps on crops of 112 of pictures of 160 and 1200 as here, judged by pixels.
    Job(
        name="cartoongan",
        recipe="cartoongan",
        data={"photos": "photos", "cartoons": "cartoon"},
        flags={
            "load_size": 256, "size": 160, "width": 16, "blocks": 8, "convs_per_block": 2,
            "batch_size": 1, "precision": "bf16", "encoder_size": 0, "content_weight": 0.01,
            "color_weight": 60.0, "style_weight": 20.0, "beta1": 0.9, "average": 0.99,
            "warmup": 800, "warmup_gain": 5.0, "lr": 2e-4, "cooldown": 1.0, "optimizer": "muon",
            "judged": "features", "objective": "hinge", "spectral": True,
            "discriminator_width": 64, "discriminator_rate": 2.0, "look": "Painted comic",
        },
        steps=7500,
        measure=("Style distance", "KID"),
        judge="cartoongan",
        judged_on={"photos": "contents", "cartoons": "cartoon"},
        held_out=True,
        licenses={
            "photos": PHOTOS,
            "cartoons": "panels of the comic Pepper&Carrot by David Revoy, CC BY 4.0",
        },
        limits=(
            "Shadows, dark hair and leaves turn blue, and dark areas get a faint weave.",
            SAME_FEATURES,
        ),
    ),
)  # fmt: skip
