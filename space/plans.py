"""Plans: what visitors ask to be drawn of style codes, by the codes.

A plan is what one press of a button, or one call of an endpoint, asks for: a row for each picture.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from space.pictures import at_hand
from space.words import say
from zoo.codes import Coded
from zoo.errors import InputError
from zoo.explore import Codes
from zoo.form import Form
from zoo.method import Method
from zoo.methods import METHODS
from zoo.pipeline import form_for
from zoo.runtime import Runtime

MOST_PICKED = 8
MOST_FRAMES = 49  # of a way


@dataclass(frozen=True)
class Model:
    """A checkpoint of a method that has codes.

    Args:
        repo_id: Its name.
        method: What draws.
        form: The method's, with this site's defaults.
        codes: What can be done with its codes.
    """

    repo_id: str
    method: type[Method]
    form: Form
    codes: Codes

    @property
    def takes_photo(self) -> bool:
        """Whether there is a photo to repaint."""
        return "content" in self.form.by_name

    def limit(self, truncation: float) -> float | None:
        """How far its codes go, where they are to be squeezed."""
        field = self.form.by_name.get("truncation")
        return truncation if field and truncation < field.default else None


def models(runtime: Runtime) -> list[Model]:
    """The checkpoints that have codes, now."""
    found = []
    for name, method in METHODS.items():
        if not issubclass(method, Coded):
            continue
        plain = form_for(method)
        plain = plain.with_defaults(samples=6 if "content" in plain.by_name else 16)
        for listed in runtime.checkpoints(name):
            # Its config may be somebody else's, of another form.
            with suppress(TypeError, ValueError, AttributeError):
                config = method.Config(**listed.config)
                form = plain.with_offers(method.offers(config))
                codes = Codes(int(config.code_size))
                found.append(Model(listed.repo_id, method, form, codes))
    return found


@dataclass(frozen=True)
class Row:
    """A picture to draw: of a code, or of the code that a style picture has."""

    label: str
    code: str | None = None
    seed: int | None = None
    style: str | None = None

    def inputs(self) -> dict[str, Any]:
        """What :func:`zoo.explore.draw` takes."""
        found = {"code": self.code, "seed": self.seed, "style": self.style}
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True)
class Pick:
    """A picture that was picked in the browser."""

    label: str
    code: str
    seed: int | None
    weight: float


@dataclass(frozen=True)
class Asked:
    """What the page says, checked.

    Args:
        language: Of the visitor.
        model: The checkpoint.
        inputs: What all pictures have in common.
        first: Seed of the first sample.
        count: How many samples.
        limit: How far codes go, where they are squeezed.
        picks: The picked pictures in their order.
        style: A style picture's path.
        code: A code as text.
        steps: From one picked picture to the next.
        seeds: To start from, to add, to take away; as text.
    """

    language: str
    model: Model
    inputs: dict[str, Any]
    first: int
    count: int
    limit: float | None
    picks: list[Pick]
    style: str | None
    code: str
    steps: int
    seeds: tuple[str, str, str]


Plan = Callable[[Asked], list[Row]]


def model_of(runtime: Runtime, repo_id: object) -> Model:
    """The checkpoint of that name; raises InputError where there is none."""
    for one in models(runtime):
        if one.repo_id == repo_id:
            return one
    raise InputError("There is no checkpoint “{repo_id}”.", repo_id=str(repo_id)[:80])


def plan_samples(asked: Asked) -> list[Row]:
    """Samples by their seeds."""
    codes = asked.model.codes.of_seeds(asked.first, asked.count, asked.limit)
    return [
        Row(say(asked.language, "seed {seed}", seed=seed), code, seed)
        for seed, code in enumerate(codes, asked.first)
    ]


def plan_style(asked: Asked) -> list[Row]:
    """The style of a picture."""
    if not asked.style:
        raise InputError("Add a style picture.")
    return [Row(say(asked.language, "style of the picture"), style=at_hand(asked.style))]


def plan_code(asked: Asked) -> list[Row]:
    """A code as text."""
    if not asked.code.strip():
        raise InputError("Type or paste a code first.")
    return [Row(say(asked.language, "typed code"), asked.model.codes.tidied(asked.code))]


def plan_way(asked: Asked) -> list[Row]:
    """The way through the picked pictures."""
    codes = way_of(asked.model, [pick.code for pick in asked.picks], asked.steps)
    return [
        Row(say(asked.language, "step {number} of {total}", number=number, total=len(codes)), code)
        for number, code in enumerate(codes, 1)
    ]


def plan_mixture(asked: Asked) -> list[Row]:
    """A mixture of the picked pictures."""
    weights = [pick.weight for pick in asked.picks]
    code = asked.model.codes.mixture([pick.code for pick in asked.picks], weights)
    return [Row(say(asked.language, "mixture of {count}", count=len(asked.picks)), code)]


def plan_sum(asked: Asked) -> list[Row]:
    """Mean of some seeds, plus and minus means of others."""
    labels = ("Start from", "Add", "Take away")
    base, plus, minus = map(seeds_of, labels, asked.seeds)
    code = asked.model.codes.sum(base, plus, minus, asked.limit)
    words = [" ".join(map(str, base))]
    words += [f"+ {' '.join(map(str, plus))}"] if plus else []
    words += [f"− {' '.join(map(str, minus))}"] if minus else []
    return [Row(" ".join(words), code)]


def way_of(model: Model, codes: Sequence[str], steps: int) -> list[str]:
    """Codes on the way through ``codes``, with ``steps`` from each to the next if not too many."""
    legs = max(1, len(codes) - 1)
    return model.codes.between(codes, max(1, min(steps, (MOST_FRAMES - 1) // legs)))


def stops_of(model: Model, given: Any) -> list[str]:
    """Codes that a program sent, as texts: each the text of one, or a seed."""
    if not isinstance(given, list) or not 2 <= len(given) <= MOST_PICKED:
        raise InputError("Codes: give a list of 2 to {most}.", most=MOST_PICKED)
    found = []
    for one in map(str, given):
        if one.strip().isdecimal():
            (seed,) = seeds_of("Codes", one)
            found += model.codes.of_seeds(seed, 1)
        else:
            found.append(model.codes.tidied(one))
    return found


def seeds_of(label: str, text: str) -> list[int]:
    """Seeds with spaces or commas between them; raises InputError where one is none."""
    found = []
    for word in text.replace(",", " ").replace("，", " ").split():
        if not (word.isascii() and word.isdecimal() and len(word) <= 10 and int(word) < 2**31):
            raise InputError(
                "{label}: “{word}” is not a seed. Seeds are whole numbers from 0 on.",
                label=label,
                word=word[:40],
            )
        found.append(int(word))
    return found[:16]


def picks_of(viewer: Any) -> list[Pick]:
    """The picked pictures out of the viewer's value; what makes no sense is left out.

    Their codes are read later, by whoever uses them.
    """
    given = viewer.get("picked") if isinstance(viewer, dict) else None
    found = []
    for one in given if isinstance(given, list) else []:
        if not isinstance(one, dict) or not isinstance(one.get("code"), str):
            continue
        seed, weight = one.get("seed"), one.get("weight")
        found.append(
            Pick(
                label=str(one.get("label", ""))[:80],
                code=one["code"],
                seed=seed if type(seed) is int and 0 <= seed < 2**32 else None,
                weight=float(weight) if isinstance(weight, int | float) else 1.0,
            )
        )
    return found[:MOST_PICKED]
