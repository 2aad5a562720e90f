"""What a release of others holds, and how its tensors find their places in a method of ours."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from pickle import PickleError
from typing import Any

import torch
from torch import Tensor

from zoo.errors import CheckpointError
from zoo.method import Method

Change = Callable[[Tensor], Tensor]
# Statistics over batches, which instance normalisation kept in early versions and never used.
UNUSED = r"(.*\.)?(running_mean|running_var|num_batches_tracked)"
SHOWN = 4  # faults of a kind that a message lists


@dataclass(frozen=True, kw_only=True)
class Format:
    """A kind of release.

    Args:
        source: Repository that it comes from, ``owner/name``.
        license: Identifier of the original's licence, as model cards have it.
        terms: A sentence about it.
        convert: Makes the method; the second argument is None where no second file was given.
        second: What a second file holds, for people; empty where there is none.
        needs_second: Whether the second file has to be given.
    """

    source: str
    license: str
    terms: str
    convert: "Callable[[Released, Released | None], Method]"
    second: str = ""
    needs_second: bool = False


@dataclass(frozen=True)
class Released:
    """The tensors of a file by their dotted names.

    Args:
        name: Of the file.
        tensors: On the CPU; floating-point ones are float32.
    """

    name: str
    tensors: Mapping[str, Tensor]

    def size(self, key: str, dimension: int = 0) -> int:
        """Length of a tensor in ``dimension``; raises CheckpointError where there is none."""
        tensor = self.tensors.get(key)
        if tensor is None or tensor.dim() <= dimension:
            raise self.fault(f"it lacks {key}" if tensor is None else f"{key} is {_shape(tensor)}")
        return tensor.shape[dimension]

    def count(self, pattern: str) -> int:
        """How many names match ``pattern`` as a whole."""
        return sum(re.fullmatch(pattern, key) is not None for key in self.tensors)

    def fault(self, reason: str) -> CheckpointError:
        """An error about this file."""
        return CheckpointError(
            "{name} is not what this format expects: {reason}.", name=self.name, reason=reason
        )


@dataclass
class KeyMap:
    """Which tensor of a release goes where.

    Attributes:
        names: Name of ours to name of theirs.
        changes: Name of ours to what has to be done to the tensor on the way.
    """

    names: dict[str, str] = field(default_factory=dict)
    changes: dict[str, Change] = field(default_factory=dict)

    def layer(
        self,
        ours: str,
        theirs: str,
        *,
        weight: Change | None = None,
        bias: Change | None = None,
        parts: Sequence[str] = ("weight", "bias"),
        called: Sequence[str] = ("weight", "bias"),
    ) -> None:
        """Add a layer.

        Args:
            ours: Its name here.
            theirs: Its name there.
            weight: Change of its weight.
            bias: Change of its bias.
            parts: Which of both it has here.
            called: What they are called there.
        """
        words = dict(zip(("weight", "bias"), called, strict=True))
        for part in parts:
            self.names[f"{ours}.{part}"] = f"{theirs}.{words[part]}"
            change = weight if part == "weight" else bias
            if change is not None:
                self.changes[f"{ours}.{part}"] = change

    def fill(self, method: Method, released: Released, unused: str = UNUSED) -> None:
        """Copy the tensors into ``method``.

        Args:
            method: Parameters that are not in the map are none of the release's.
            released: Every tensor of it has to be in the map or ``unused``.
            unused: Pattern of whole names.

        Raises CheckpointError that names what is missing, unexpected or of another shape.
        """
        state = method.state_dict()
        faults = []
        if missing := [key for key in self.names.values() if key not in released.tensors]:
            faults.append(f"it lacks {_listed(missing)}")
        known = set(self.names.values())
        unexpected = [
            key for key in released.tensors if key not in known and not re.fullmatch(unused, key)
        ]
        if unexpected:
            faults.append(f"there is no place for {_listed(unexpected)}")
        wrong = []
        for ours, theirs in self.names.items():
            if theirs not in released.tensors:
                continue
            tensor, room = released.tensors[theirs], state[ours]
            # Changes add and move dimensions, so that only their lengths can be compared.
            lengths = [sorted(t.squeeze().shape) for t in (tensor, room)]
            if lengths[0] != lengths[1] or (
                ours not in self.changes and tensor.shape != room.shape
            ):
                wrong.append(f"{theirs} is {_shape(tensor)}, not {_shape(room)}")
        if wrong:
            faults.append(_listed(wrong, "; "))
        if faults:
            raise released.fault("; ".join(faults))
        for ours, theirs in self.names.items():
            tensor = released.tensors[theirs]
            change = self.changes.get(ours)
            state[ours] = change(tensor).view_as(state[ours]) if change else tensor
        method.load_state_dict(state)


def read(path: Path) -> Released:
    """Read the tensors of a file that ``torch.save`` wrote; nothing else in it is even looked at.

    Nested dictionaries become dotted names, and the prefix of data-parallel training is dropped.

    Raises:
        CheckpointError: It is no such file, holds more than plain data, or no tensors.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, LookupError, EOFError, PickleError) as error:
        raise CheckpointError(
            "{name} cannot be read as weights ({reason}). A file that holds more than plain data "
            "is refused, because reading it could run a program.",
            name=path.name,
            reason=str(error).strip().partition("\n")[0],
        ) from error
    tensors = dict(_tensors(content))
    if tensors and all(key.startswith("module.") for key in tensors):
        tensors = {key.removeprefix("module."): tensor for key, tensor in tensors.items()}
    if not tensors:
        raise CheckpointError("{name} holds no tensors by name.", name=path.name)
    return Released(path.name, tensors)


def _tensors(content: Any, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    if not isinstance(content, Mapping):
        return
    for key, value in content.items():
        if isinstance(value, Tensor):
            yield f"{prefix}{key}", value.float() if value.is_floating_point() else value
        else:
            yield from _tensors(value, f"{prefix}{key}.")


def _listed(words: list[str], separator: str = ", ") -> str:
    more = f" and {len(words) - SHOWN} more" if len(words) > SHOWN else ""
    return separator.join(words[:SHOWN]) + more


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "a number"
