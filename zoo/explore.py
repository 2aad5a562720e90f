"""Exploring style codes: new codes out of others, and a picture of each.

Codes are texts here, as people keep them and as a result's record has them; :mod:`zoo.codes` reads
and writes them. Pictures are drawn one at a time, each a result with a record of its own: any one
of them can be had again alone, and the work can be stopped between two.
"""

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from zoo import images
from zoo.codes import Coded, arithmetic, from_text, mix, sample, slerp, to_text, truncated
from zoo.errors import InputError
from zoo.pipeline import LARGEST, Pipeline, Progress


@dataclass(frozen=True)
class Codes:
    """What can be done with the codes of one checkpoint; each raises InputError for no code.

    Args:
        size: How many numbers a code has.
    """

    size: int

    def of_seeds(self, first: int, count: int, limit: float | None = None) -> list[str]:
        """The codes of ``count`` seeds from ``first`` on, squeezed into ±``limit``."""
        found = sample(first, count, self.size)
        return self._texts(found if limit is None else truncated(found, limit))

    def tidied(self, text: str) -> str:
        """A code that somebody typed, as it is written here."""
        return to_text(from_text(text, self.size))

    def between(self, texts: Sequence[str], steps: int) -> list[str]:
        """Codes on the way through ``texts``, ends included.

        Args:
            texts: At least two.
            steps: How many steps from each to the next.
        """
        if len(texts) < 2:
            raise InputError("Pick two pictures first: the way leads from one to the next.")
        stops = self._read(texts)
        shares = [step / steps for step in range(steps)]
        way = [slerp(stops[i], stops[i + 1], shares) for i in range(len(stops) - 1)]
        return self._texts(torch.cat([*way, stops[-1:]]))

    def mixture(self, texts: Sequence[str], weights: Sequence[float]) -> str:
        """The mixture of ``texts`` by ``weights``, which need not sum to 1."""
        if len(texts) < 2:
            raise InputError("Pick at least two pictures to mix.")
        if len(weights) != len(texts):
            raise InputError(
                "Weights: there are {given} for {count} codes. Give one for each.",
                given=len(weights),
                count=len(texts),
            )
        whole = sum(weights)
        if min(weights) < 0 or not 0 < whole < math.inf:
            raise InputError("Give at least one of the picked pictures a weight above 0.")
        return to_text(mix(self._read(texts), [weight / whole for weight in weights]))

    def sum(
        self,
        base: Sequence[int],
        plus: Sequence[int],
        minus: Sequence[int],
        limit: float | None = None,
    ) -> str:
        """The mean code of the seeds ``base``, plus that of ``plus``, less that of ``minus``.

        Each can be left out but the first, and one of the two others has to be there.
        """
        if not base or not (plus or minus):
            raise InputError(
                "Give the seeds to start from, and those to add or to take away: three of each "
                "work best."
            )
        nothing = torch.zeros(1, self.size)

        def of(seeds: Sequence[int]) -> Tensor:
            found = [sample(seed, 1, self.size) for seed in seeds]
            return torch.cat(found) if found else nothing

        found = arithmetic(of(base), of(plus), of(minus))
        return to_text(found if limit is None else truncated(found, limit))

    def _read(self, texts: Sequence[str]) -> Tensor:
        return torch.cat([from_text(text, self.size) for text in texts])

    def _texts(self, codes: Tensor) -> list[str]:
        return [to_text(code) for code in codes]


@dataclass(frozen=True, kw_only=True)
class Series(Progress):
    """One look at several pictures under way; ``made`` are the results so far."""

    made: tuple[Progress, ...] = ()


def draw(
    pipeline: Pipeline, *, rows: Sequence[Mapping[str, Any]], **inputs: Any
) -> Iterator[Series]:
    """Draw a picture for each of ``rows``; closing the iterator stops between two.

    A photo is encoded once for all of them.

    Args:
        pipeline: Of a :class:`zoo.codes.Coded` method.
        rows: What is one picture's own: the ``code``, or the ``style`` picture that has it; and
            the ``seed`` the code is of, for the record.
        inputs: What all have in common, as :meth:`zoo.pipeline.Pipeline.stream` takes it.

    Raises what the pipeline raises, and InputError where the method knows no codes of pictures.
    """
    if isinstance(method := pipeline.method, Coded):
        pipeline = copy.copy(pipeline)
        pipeline.method = method.remembering()
    if "content" in inputs:  # read once
        inputs["content"] = images.open_picture(inputs["content"]).image
    made: list[Progress] = []
    for number, row in enumerate(rows, 1):
        own = dict(row)
        if style := own.pop("style", None):
            own["code"] = code_of(pipeline, style, inputs)
        *_, last = pipeline.stream(**inputs, **own, samples=1)
        made.append(last)
        yield Series(
            number=number,
            total=len(rows),
            tensors=last.tensors,
            content=last.content,
            notices=last.notices,
            record=last.record,
            made=tuple(made),
        )


@torch.no_grad()
def code_of(pipeline: Pipeline, style: images.Source, inputs: Mapping[str, Any]) -> str:
    """The code of a style picture.

    Args:
        pipeline: Of a :class:`zoo.codes.Coded` method.
        style: A picture as the pipeline takes it.
        inputs: Of the picture to draw: ``direction`` and ``size`` matter.
    """
    method = pipeline.method
    if not isinstance(method, Coded):
        raise TypeError(f"{method.name} has no codes")
    values = {field.name: field.default for field in pipeline.form} | dict(inputs)
    picture = images.open_picture(style).image
    size = max(64, min(values.get("size") or LARGEST, LARGEST))
    tensor = images.to_tensor(images.fit(picture, size)).to(pipeline.device)
    return method.text_from_code(method.code_of(tensor, values.get("direction", "AtoB")))
