"""The kinds of release that can be read, and the way from a file to a checkpoint folder."""

import hashlib
from dataclasses import replace
from pathlib import Path

import torch

from zoo import checkpoint, pretrained
from zoo.convert import (
    adain,
    cartoongan,
    cyclegan,
    dcgan,
    drit,
    fast_neural_style,
    munit,
    photo_wct,
    style_swap,
)
from zoo.convert.released import Format, read
from zoo.errors import InputError
from zoo.method import Method

FORMATS: dict[str, Format] = {
    "fast_neural_style": fast_neural_style.FORMAT,
    "style_swap": style_swap.FORMAT,
    "adain": adain.FORMAT,
    "photo_wct": photo_wct.FORMAT,
    "cyclegan": cyclegan.FORMAT,
    "munit": munit.FORMAT,
    "drit": drit.FORMAT,
    "cartoongan": cartoongan.FORMAT,
    "dcgan": dcgan.FORMAT,
}


def convert(
    name: str,
    file: Path,
    out: Path,
    *,
    second: Path | None = None,
    dtype: torch.dtype = torch.float32,
) -> Method:
    """Turn a release into a checkpoint folder with a card.

    Args:
        name: One of :data:`FORMATS`.
        file: What was released.
        out: New folder.
        second: The other file of releases that come in two.
        dtype: Precision on disk.

    Returns:
        The method, float32.

    Raises:
        InputError: There is no such format or file, a second one is missing or not wanted, or
            ``out`` is there already.
        CheckpointError: The file is not what the format expects; it says in what.
    """
    if name not in FORMATS:
        raise InputError(
            "There is no format “{name}”; there are {known}.", name=name, known=", ".join(FORMATS)
        )
    kind = FORMATS[name]
    if second and not kind.second:
        raise InputError("This format comes in one file: leave out the second one.")
    if kind.needs_second and not second:
        raise InputError("This format comes in two files: name {second} too.", second=kind.second)
    if out.exists():
        raise InputError("Out: “{name}” is there already. Name a new folder.", name=str(out))
    files = [file, *filter(None, [second])]
    for path in files:
        if not path.is_file():
            raise InputError("There is no file “{name}”.", name=str(path))
    method = kind.convert(read(file), read(second) if second else None)
    sources = " and ".join(f"{path.name} (sha256 {_sha256(path)})" for path in files)
    facts = replace(
        checkpoint.facts_of(method),
        license=kind.license,
        license_note=f"{kind.terms} It goes on to hold for this conversion.",
        limits=(
            f"Converted, not trained here: from {sources} of {kind.source}. How those weights were "
            "made is known to its authors alone.",
        ),
        tags=("converted",),
    )
    pretrained.save(method, out, facts, dtype)
    return method


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
