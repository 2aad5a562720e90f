"""A recipe: every number that decides what the weights become.

Recipes are frozen dataclasses whose defaults are the paper's values. The command line is read from
their fields, and ``recipe.json`` beside the published weights holds them, so that

    python -m training.NAME --recipe recipe.json --photos DIR ... --out DIR

makes a checkpoint again. What only decides how a run is watched or cut into sessions is a
:class:`Run`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

Photos = Annotated[
    Path, Field(description="Folder of photos, or a pack that training.pack made of one.")
]

# Recipes that differ in a default alone name these.
BatchSize = Annotated[int, Field(ge=1, le=4096, description="Pictures a step, for each process.")]
LoadSize = Annotated[
    int,
    Field(
        ge=16,
        le=4096,
        description="Shorter side in pixels that pictures are shrunk to before cropping.",
    ),
]
Cooldown = Annotated[
    float,
    Field(ge=0, le=1, description="Share of the steps, at the end, in which the rate goes to 0."),
]
CheckerboardWeight = Annotated[
    float, Field(ge=0, le=1e6, description="Weight of stripes from resizing; the papers' 0.")
]

Precision = Literal["fp32", "bf16", "fp16"]
Optimizer = Annotated[
    Literal["adam", "muon"],
    Field(description="muon: see Trainer.muon; a short training gets further with it."),
]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What all recipes share."""

    steps: Annotated[int, Field(ge=1, le=10**8, description="Optimiser steps.")] = 160_000
    batch_size: BatchSize = 8
    size: Annotated[
        int, Field(ge=16, le=2048, description="Side of the training crop in pixels.")
    ] = 256
    load_size: LoadSize = 512
    width: Annotated[int, Field(ge=1, le=512, description="Channels of the first layer.")] = 64
    lr: Annotated[float, Field(gt=0, le=1, description="Learning rate of Adam.")] = 1e-4
    lr_decay: Annotated[
        float, Field(ge=0, le=1, description="The rate is divided by 1 + this times the step.")
    ] = 0.0
    cooldown: Cooldown = 0.0
    # Differs from the paper [optimizer=muon]: Muon takes the place of Adam.
    optimizer: Optimizer = "adam"
    clip: Annotated[
        float, Field(ge=0, description="Largest norm of the gradient; 0 does not clip.")
    ] = 0.0
    # Differs from the paper [average]: what is kept are averages of the weights over the latest
    # steps.
    average: Annotated[
        float,
        Field(ge=0, lt=1, description="Decay of the averaged weights, which are what is saved."),
    ] = 0.999
    precision: Annotated[
        Precision,
        Field(
            description="bf16 halves memory and time where the device multiplies it; elsewhere it "
            "is fp32."
        ),
    ] = "fp32"
    start_from: Annotated[
        Path | None,
        Field(
            description="Folder of a checkpoint of the same shape whose weights to start with; or "
            "of a run, whose discriminators then come along."
        ),
    ] = None
    seed: Annotated[
        int, Field(ge=0, le=2**31 - 1, description="Seed of the weights and of the data.")
    ] = 0

    def rate(self, step: int) -> float:
        """Learning rate of the ``step``-th update, counted from 0.

        A pure function of the step, so resuming has nothing to restore.
        """
        rate = self.lr / (1 + self.lr_decay * step)
        falling = self.cooldown * self.steps
        left = self.steps - step
        return rate * left / falling if left < falling else rate


@dataclass(frozen=True, kw_only=True)
class Run:
    """How a run is watched and cut into sessions; nothing here changes more than rounding."""

    out: Annotated[
        Path, Field(description="Folder of the run; one that is there is resumed where it stopped.")
    ]
    minutes: Annotated[
        float, Field(ge=0, description="Stop after so many minutes, ready to resume; 0 never.")
    ] = 0.0
    save_every: Annotated[int, Field(ge=1, description="Steps between saved states.")] = 500
    sample_every: Annotated[int, Field(ge=1, description="Steps between sample pictures.")] = 500
    log_every: Annotated[int, Field(ge=1, description="Steps between lines of metrics.")] = 20
    dry_run: Annotated[
        bool,
        Field(
            description="Do three steps, keep nothing but decoded pictures, and say what a run "
            "would take."
        ),
    ] = False
    device: Annotated[
        Literal["auto", "cpu"], Field(description="auto takes a GPU where there is one.")
    ] = "auto"
    compile: Annotated[
        bool,
        Field(
            description="Fuse operations with torch.compile, but with discriminators: minutes "
            "once, and faster steps from then on. Needs a C++ compiler and Python's headers."
        ),
    ] = False
    packs: Annotated[Path, Field(description="Where decoded pictures are kept between runs.")] = (
        Path("runs/packs")
    )
