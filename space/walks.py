"""Endpoints for style codes: a walk from one to the next, and a mixture of several."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import gradio as gr
from pydantic import Field as About

from space.api import answering, documented, given_as, received
from space.components import Given
from space.jobs import Finished, Job, Working
from space.plans import MOST_FRAMES, MOST_PICKED, Model, model_of, models, stops_of, way_of
from space.results import save
from space.sheet import animate
from space.site import Site
from space.words import spoken
from zoo.explore import Series, draw
from zoo.form import Field, Form, form_of
from zoo.method import Content

SHARED = ("direction", "size", "strength")  # of the forms of methods that have codes


def photo(content: Content | None = None) -> None:
    """What some methods need beside a code."""


def walk(
    steps: Annotated[
        int,
        About(
            ge=1,
            le=24,
            title="Steps",
            description="From each code to the next; fewer where the walk would have more than "
            f"{MOST_FRAMES} pictures.",
        ),
    ] = 8,
) -> None:
    """What a walk asks for."""


def mixture(
    weights: Annotated[
        list[float],
        About(
            max_length=MOST_PICKED,
            title="Weights",
            description="How much of each code, in their order; empty for equal shares.",
        ),
    ] = [],  # noqa: B006
) -> None:
    """What a mixture asks for."""


@dataclass(frozen=True)
class Errand:
    """What an endpoint does with codes.

    Args:
        name: The endpoint's.
        summary: What it does.
        returns: What comes of it.
        form: What it asks for, beside codes and pictures.
        plan: The codes to draw, of those that are given.
        moving: Whether the results are one after another.
    """

    name: str
    summary: str
    returns: str
    form: Form
    plan: Callable[[Model, Sequence[str], Mapping[str, Any]], Sequence[str]]
    moving: bool


ERRANDS = (
    Errand(
        "walk_codes",
        "Walk from one style code to the next, and draw a picture at every step.",
        "The pictures as PNG files in their order, then the way there and back as animated WebP "
        "and GIF; and how each picture was made, with its code.",
        form_of(walk),
        lambda model, codes, own: way_of(model, codes, own["steps"]),
        moving=True,
    ),
    Errand(
        "mix_codes",
        "Mix style codes, and draw the picture of the mixture.",
        "The picture as PNG file; and how it was made, with its code.",
        form_of(mixture),
        lambda model, codes, own: [
            model.codes.mixture(codes, own["weights"] or [1.0] * len(codes))
        ],
        moving=False,
    ),
)


def publish_codes(site: Site) -> None:
    """Add the endpoints, where a method with codes has a checkpoint."""
    if there := models(site.runtime):
        for errand in ERRANDS:
            publish(errand, site, there)


def publish(errand: Errand, site: Site, there: Sequence[Model]) -> None:
    """Add an endpoint; what a checkpoint does not know is not looked at."""
    known = {field.name: field for model in there for field in model.form}
    codes = Field(
        name="codes",
        kind="text",
        required=True,
        label="Codes",
        description=f"From 2 to {MOST_PICKED}, in their order; each the text of a code, as the "
        "record of a result has it, or a seed.",
    )
    checkpoint = Field(
        name="checkpoint",
        kind="choice",
        default=there[0].repo_id,
        choices=tuple(one.repo_id for one in there),
        label="Checkpoint",
        description="The trained weights to use.",
    )
    shared = [known[name] for name in SHARED if name in known]
    fields = [codes, *form_of(photo), *errand.form, *shared, checkpoint]

    def run(request: gr.Request, *values: Any) -> Iterator[tuple[Any, Any]]:
        language = spoken(request)
        given = dict(zip([field.name for field in fields], values, strict=True))
        job = None
        try:
            with answering(language):
                model = model_of(site.runtime, given["checkpoint"] or there[0].repo_id)
                own = errand.form.check({name: given[name] for name in errand.form.by_name})
                rows = errand.plan(model, stops_of(model, given["codes"]), own)
                inputs = {
                    name: received(field, given[name], language)
                    for name in ("content", *SHARED)
                    if (field := model.form.by_name.get(name)) and given.get(name) is not None
                }
                checked = model.form.check(inputs)
                inputs = {name: checked[name] for name in inputs}
                inputs["rows"] = [{"code": code} for code in rows]
                job = Job(site.lane, site.runtime, model.repo_id, inputs, work=draw)
                for state in job.follow():
                    look = state.progress if isinstance(state, Working | Finished) else None
                    if isinstance(state, Finished) and isinstance(look, Series):
                        yield delivered(look, errand.moving)
                    else:
                        yield None, {"step": look.number if look else 0, "of": len(rows)}
        finally:
            if job:
                job.stop()

    run.__name__ = errand.name
    run.__doc__ = documented(errand.summary, fields, errand.returns)
    run.__annotations__ = {"request": gr.Request}
    kind, none = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.empty
    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter("request", kind, annotation=gr.Request)]
        + [inspect.Parameter(f.name, kind, default=none if f.required else None) for f in fields]
    )
    several = {
        "type": "array",
        "items": {"anyOf": [{"type": "string"}, {"type": "integer", "minimum": 0}]},
        "minItems": 2,
        "maxItems": MOST_PICKED,
        "additional_description": codes.description,
    }
    gr.Button(visible=False).click(
        run,
        [Given([], several, codes.label, [0, 1]), *map(given_as, fields[1:])],
        [
            gr.File(visible=False, file_count="multiple", label="results"),
            gr.JSON(visible=False, label="records"),
        ],
        api_name=errand.name,
        concurrency_id="studio",
        concurrency_limit=site.lane.longest + 2,
        show_progress="hidden",
    )


def delivered(series: Series, moving: bool) -> tuple[list[str], list[Mapping[str, Any]]]:
    """The files of a finished series, and a record for each picture."""
    results = [save(replace(one, content=None), "", {}) for one in series.made]
    files = [one.files[0] for one in results]
    if moving and series.record:
        files += animate(files, series.record.json())
    return files, [one.record for one in results]
