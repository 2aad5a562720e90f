"""Half precision: what ships has half the bits that were trained, and must give the same picture.

A run still has all the bits, and is compared before a checkpoint leaves it. What has left it has
the rounded weights alone; those before are then drawn from all that round to them, which anybody
can do again. Both are run in float32, so that nothing but the rounding is compared.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from pickle import PickleError
from typing import Any

import torch
from torch import Tensor

from training.loop import STATE
from zoo.card import Metric
from zoo.errors import CheckpointError
from zoo.method import Method
from zoo.pipeline import Pipeline

MOST = 2.0  # levels of 255 that a value may be off by
# What share of the values may be off by more. FastPhotoStyle puts features back where the maxima
# of the photo's were, four times in a row; where two nearly tie, a rounding moves one by a pixel.
BEYOND = {"fast_photo_style": 0.002}
PREFIX = "module."  # how an averaged model names its parts
OF_THE_MOMENT = ("running_mean", "running_var", "num_batches_tracked")


def original(run: Path, method: Method) -> Method:
    """A copy of ``method`` with the weights that ``run`` has saved in full precision.

    Statistics of batch normalisations are those of ``method``: a run keeps them of the weights of
    its last step, not of their average.

    Raises CheckpointError when they cannot be read or do not fit.
    """
    path = run / STATE
    full = deepcopy(method)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        weights = {
            name.removeprefix(PREFIX): value
            for name, value in state["shared"]["averaged"].items()
            if name.startswith(PREFIX) and not name.endswith(OF_THE_MOMENT)
        }
        left = set(full.load_state_dict(weights, strict=False).missing_keys)
    except (OSError, RuntimeError, LookupError, EOFError, PickleError) as error:
        raise CheckpointError(
            "{path} is no state of a training, or a damaged one ({reason}).",
            path=path,
            reason=error,
        ) from error
    if lost := sorted(name for name in left if not name.endswith(OF_THE_MOMENT)):
        raise CheckpointError(
            "{path} has no weights for {names}.", path=path, names=", ".join(lost)
        )
    return full


def unrounded(method: Method, seed: int = 0) -> Method:
    """A copy of ``method`` with weights drawn from those that half precision rounds to its own.

    Evenly from all that do; a weight that half precision cannot hold was never rounded and stays.
    """
    full = deepcopy(method)
    random = torch.Generator().manual_seed(seed)
    for name, weight in full.state_dict().items():
        if not weight.is_floating_point() or name.endswith(OF_THE_MOMENT):
            continue
        # Half precision has eleven binary digits, and none beyond the 24th after the point.
        last = torch.frexp(weight)[1].sub(11).clamp(min=-24).float().exp2()
        moved = weight + last * (torch.rand(weight.shape, generator=random) - 0.5)
        weight.copy_(torch.where(moved.half() == weight, moved, weight))
    return full


def rounding(method: Method, inputs: Sequence[Mapping[str, Any]]) -> Metric:
    """How far results of ``method`` are from those of :func:`unrounded` weights; see `compare`."""
    return Metric(
        name="Half precision, largest difference from weights that round to these",
        value=float(f"{compare(method, unrounded(method), inputs):.3g}"),
        features="levels of 255",
        data=f"{len(inputs)} sample pictures",
        better="lower",
    )


def compare(method: Method, full: Method, inputs: Sequence[Mapping[str, Any]]) -> float:
    """How far results of ``method`` are from those of ``full``, at the worst pixel.

    Args:
        method: With the weights to ship.
        full: With those of full precision.
        inputs: What a pipeline gets, a picture each; at least one.

    Returns:
        Levels of 255.

    Raises CheckpointError when values are further apart than :data:`MOST`, but for the share that
    :data:`BEYOND` allows.
    """
    largest = 0.0
    for one in inputs:
        apart = 255 * (result(method, one) - result(full, one)).abs()
        beyond = 1 - (apart <= MOST).float().mean().item()  # NaN is beyond as well
        if beyond > BEYOND.get(method.name, 0.0):
            raise CheckpointError(
                "Half precision changes the pictures: by up to {found} levels of 255, let pass "
                "{most}. Train with smaller weights, or ship more bits.",
                found=f"{apart.max().item():.2f}",
                most=MOST,
            )
        largest = max(largest, apart.max().item())
    return largest


def result(method: Method, inputs: Mapping[str, Any]) -> Tensor:
    """What a method makes, in float32: ``(B, 3, H, W)`` in [0, 1]."""
    pipeline = Pipeline(method)
    usual, method.precision = method.precision, torch.float32
    try:
        *_, last = pipeline.stream(**inputs)
    finally:
        method.precision = usual
    return last.tensors.clamp(0, 1)
