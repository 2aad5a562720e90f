"""Endpoints for programs: one for each method, typed by its form, and one that lists checkpoints.

They are also the tools that a language model sees, so their descriptions are whole sentences.
"""

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import gradio as gr

from space import filming
from space.components import Given
from space.hub import download
from space.jobs import Finished, Job, Working
from space.pictures import refusal
from space.race import (
    Cell,
    Race,
    bench_for,
    contestants,
    export,
    moved,
    pictures,
    starters_of,
    usual,
)
from space.results import save
from space.site import Site
from space.status import unexpected
from space.words import spoken, tell
from zoo.compare import plain
from zoo.errors import InputError, ZooError
from zoo.form import Field, Form, form_of
from zoo.methods import METHODS
from zoo.pipeline import photo_options
from zoo.video import video_options

FILE = {
    "title": "FileData",
    "type": "object",
    "properties": {
        "path": {"type": "string", "title": "Path"},
        "meta": {
            "type": "object",
            "title": "Meta",
            "properties": {"_type": {"const": "gradio.FileData", "type": "string"}},
            "default": {"_type": "gradio.FileData"},
        },
    },
    "default": {"meta": {"_type": "gradio.FileData"}},
    "required": ["path", "meta"],
}
TYPES = {"bool": "boolean", "int": "integer", "float": "number", "text": "string"}


def publish(name: str, form: Form, site: Site) -> None:
    """Add the endpoint of a method."""
    method = METHODS[name]
    fields = [*form, checkpoint_field(name, site)]

    def stylize(request: gr.Request, *values: Any) -> Iterator[tuple[Any, Any]]:
        language = spoken(request)
        job = None
        try:
            with answering(language):
                given = dict(zip([f.name for f in fields], values, strict=True))
                checkpoint = given.pop("checkpoint") or method.checkpoint
                if checkpoint not in checkpoint_field(name, site).choices:
                    raise InputError("There is no checkpoint “{repo_id}”.", repo_id=checkpoint)
                inputs = {f.name: received(f, given[f.name], language) for f in form}
                inputs = form.check(
                    {key: value for key, value in inputs.items() if value is not None}
                )
                job = Job(site.lane, site.runtime, checkpoint, inputs)
                for state in job.follow():
                    if isinstance(state, Finished):
                        result = save(state.progress, "", {})
                        yield list(result.files), result.record
                    elif isinstance(state, Working):
                        yield (
                            None,
                            {"step": state.progress.number, "of": state.progress.total},
                        )
                    else:
                        yield None, {"step": 0}
        finally:
            if job:
                job.stop()

    stylize.__name__ = name
    stylize.__doc__ = description(name, fields)
    stylize.__annotations__ = {"request": gr.Request}
    kind, none = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.empty
    # By a default of None Gradio knows that a picture can be left out.
    stylize.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter("request", kind, annotation=gr.Request)]
        + [
            inspect.Parameter(field.name, kind, default=none if field.required else None)
            for field in fields
        ]
    )
    gr.Button(visible=False).click(
        stylize,
        [given_as(field) for field in fields],
        [
            gr.File(visible=False, file_count="multiple", label="results"),
            gr.JSON(visible=False, label="record"),
        ],
        api_name=name,
        concurrency_id="studio",
        concurrency_limit=site.lane.longest + 2,
        show_progress="hidden",
    )


def publish_compare(site: Site) -> None:
    """Add the endpoint that lets methods take turns on the same pictures."""
    form = form_of(pictures)
    size = form_of(photo_options).by_name["size"]
    there = contestants(site)

    def compare(  # noqa: D417 - the request is nothing that a caller gives
        request: gr.Request,
        content: Any,
        style: Any = None,
        methods: Any = None,
        size: Any = None,
        memory: Any = None,
    ) -> Iterator[tuple[Any, Any]]:
        """Run several methods on the same photo and measure time, memory and quality.

        Args:
            content: The photo to repaint.
            style: The picture whose look to borrow, for the methods that take one.
            methods: Names of checkpoints, as list_checkpoints tells them; six at most. The number
                of one of its paintings may follow: zoo/many-styles:2.
            size: Longer side of the results in pixels; 0 keeps the photo's.
            memory: Whether to run each method once more on a CPU, to measure its peak memory.

        Returns:
            A picture of all results, the table as CSV and JSON and each result as PNG; and one
            entry for each method with what was measured, or why there is no result.
        """
        language = spoken(request)
        with answering(language):
            photo, painting = (
                None if value is None else received(form.by_name[name], value, language)
                for name, value in (("content", content), ("style", style))
            )
            starters = starters_of(site, usual(contestants(site)) if methods is None else methods)
            checked = form_of(photo_options).check({"size": size})["size"]
            bench = bench_for(site, starters, photo, painting, checked, bool(memory))
            board = [Cell(one) for one in starters]
            for number, state in Race(site, bench, starters, language).follow():
                board[number] = moved(board[number], state)
                yield (
                    None,
                    [{"checkpoint": cell.one.name, "state": cell.place} for cell in board],
                )
            files = [*export(bench, board).values()]
            files += [cell.result.files[0] for cell in board if cell.result]
            yield files, [plain(cell.counted) for cell in board]

    names = list(dict.fromkeys(name for one in there for name in (one.repo_id, one.name)))
    several = {"type": "array", "items": {"type": "string", "enum": names}}
    gr.Button(visible=False).click(
        compare,
        [
            *(given_as(form.by_name[name]) for name in ("content", "style")),
            Given(usual(there), several, "Methods", usual(there)),
            given_as(size),
            Given(False, {"type": "boolean"}, "Memory", False),
        ],
        [
            gr.File(visible=False, file_count="multiple", label="results"),
            gr.JSON(visible=False, label="table"),
        ],
        api_name="compare",
        concurrency_id="studio",
        concurrency_limit=site.lane.longest + 2,
        show_progress="hidden",
    )


def publish_video(site: Site) -> None:
    """Add the endpoint that repaints a video."""
    options = form_of(video_options).by_name
    clip = Field(name="video", kind="picture", required=True, label="Video")
    picture = form_of(pictures).by_name["style"]

    def stylize_video(  # noqa: D417 - the request is nothing that a caller gives
        request: gr.Request,
        video: Any,
        checkpoint: Any = None,
        style: Any = None,
        size: Any = None,
        smooth: Any = None,
    ) -> Iterator[tuple[Any, Any]]:
        """Repaint a video frame by frame; its sound goes along.

        Args:
            video: The video; its first 30 seconds are used.
            checkpoint: Name of a checkpoint, as list_checkpoints tells it. The number of one of its
                paintings may follow: zoo/many-styles:2.
            style: The picture whose look to borrow, for the methods that take one.
            size: Longer side of the result in pixels; 0 keeps the video's, up to 1280.
            smooth: How much of the frame before is kept where its motion is known, from 0 to 0.95.

        Returns:
            The video as MP4, and how it was made.
        """
        language = spoken(request)
        shot = None
        try:
            with answering(language):
                asked = form_of(video_options).check({"size": size, "smooth": smooth})
                name = checkpoint or filming.offered(site)[0].name
                source = uploaded("Video", video)
                painting = None if style is None else received(picture, style, language)
                shot = filming.shoot(site, name, source, painting, **asked)
                for state in shot.job.follow():
                    if isinstance(state, Finished):
                        yield str(shot.named(state.progress)), vars(state.progress.record)
                    elif isinstance(state, Working):
                        look = state.progress
                        yield None, {"frame": look.number, "of": look.total}
                    else:
                        yield None, {"frame": 0}
        finally:
            if shot:
                shot.job.stop()

    names = {"type": "string", "enum": [one.name for one in filming.offered(site)]}
    gr.Button(visible=False).click(
        stylize_video,
        [
            given_as(clip),
            Given(None, names, "Checkpoint", names["enum"][0]),
            given_as(picture),
            given_as(options["size"]),
            given_as(options["smooth"]),
        ],
        [gr.File(visible=False, label="result"), gr.JSON(visible=False, label="record")],
        api_name="stylize_video",
        concurrency_id="studio",
        concurrency_limit=site.lane.longest + 2,
        show_progress="hidden",
    )


@contextmanager
def answering(language: str) -> Iterator[None]:
    """What goes wrong inside reaches the caller as a sentence, and a bug the log as well."""
    try:
        yield
    except Refused as error:
        raise polite(error.message) from None
    except ZooError as error:
        raise polite(tell(language, error)) from None
    except Exception:  # noqa: BLE001 logged with its reference
        raise polite(unexpected(language)) from None


def publish_checkpoints(site: Site) -> None:
    """Add the endpoint that lists what there is."""

    def list_checkpoints() -> list[dict[str, Any]]:
        """List the methods and the checkpoints that can be used with each.

        Returns:
            One entry for each checkpoint: its name, the method, and whether it is the default.
        """
        return [
            {
                "checkpoint": listed.repo_id,
                "method": name,
                "default": listed.repo_id == method.checkpoint,
            }
            for name, method in METHODS.items()
            for listed in site.runtime.checkpoints(name)
        ]

    gr.Button(visible=False).click(
        list_checkpoints,
        None,
        gr.JSON(visible=False, label="checkpoints"),
        api_name="list_checkpoints",
        queue=False,
    )


def publish_download(site: Site) -> None:
    """Add the endpoint that brings a checkpoint here."""

    def download_checkpoint(  # noqa: D417 - the request is nothing that a caller gives
        request: gr.Request, checkpoint: str
    ) -> Iterator[dict[str, Any]]:
        """Download a checkpoint to the server, which makes its first use as fast as any other.

        Args:
            checkpoint: Its name, as list_checkpoints tells it.

        Returns:
            The checkpoint, its revision, and how many bytes of how many have arrived.
        """
        language = spoken(request)
        try:
            for transfer in download(site.shelf, checkpoint):
                if transfer:
                    yield {
                        "checkpoint": checkpoint,
                        "done": transfer.done,
                        "total": transfer.total,
                    }
            _, revision = site.shelf.fetch(checkpoint)
            yield {"checkpoint": checkpoint, "revision": revision, "ready": True}
        except ZooError as error:
            raise polite(tell(language, error)) from None

    gr.Button(visible=False).click(
        download_checkpoint,
        gr.Textbox(visible=False, label="checkpoint"),
        gr.JSON(visible=False, label="state"),
        api_name="download_checkpoint",
        concurrency_id="downloads",
        concurrency_limit=8,
        show_progress="hidden",
    )


class Refused(Exception):
    """An upload that cannot be used; the message is in the caller's language already."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def polite(message: str) -> gr.Error:
    """An error whose message reaches the caller and whose traceback stays out of the log."""
    return gr.Error(message, print_exception=False)


def received(field: Field, value: Any, language: str) -> Any:
    """What came over the wire, as the form takes it; raises Refused and InputError."""
    if not field.is_picture or value is None:
        return value
    if field.kind == "pictures":
        if not isinstance(value, list):
            raise InputError("{label}: give a list of files.", label=field.label)
        return [path_of(field, one, language) for one in value]
    return path_of(field, value, language)


def path_of(field: Field, value: Any, language: str) -> str:
    """The path of an upload.

    Only what Gradio has recognised as a file, and so has checked to be an upload, is opened.
    """
    path = uploaded(field.label, value)
    if reason := refusal(value, language):
        raise Refused(reason)
    return path


def uploaded(label: str, value: Any) -> str:
    """The path of an upload of any kind, where it is one; raises InputError."""
    kind = value.get("meta", {}).get("_type") if isinstance(value, dict) else None
    if kind != "gradio.FileData" or not isinstance(value.get("path"), str):
        raise InputError("{label}: give a file.", label=label)
    return value["path"]


def checkpoint_field(name: str, site: Site) -> Field:
    """The choice of a checkpoint as a field."""
    choices = tuple(listed.repo_id for listed in site.runtime.checkpoints(name))
    choices = choices or (METHODS[name].checkpoint,)
    return Field(
        name="checkpoint",
        kind="choice",
        default=METHODS[name].checkpoint,
        choices=choices,
        label="Checkpoint",
        description="The trained weights to use.",
    )


def schema(field: Field) -> dict[str, Any]:
    """The type of a field as JSON schema."""
    match field.kind:
        case "picture":
            return FILE
        case "pictures":
            return {"type": "array", "items": FILE}
        case "choice":
            return {"type": "string", "enum": list(field.choices)}
        case "numbers":
            return {"type": "array", "items": {"type": "number"}}
    found: dict[str, Any] = {"type": TYPES[field.kind]}
    if field.low is not None:
        found["minimum"] = field.low
    if field.high is not None:
        found["maximum"] = field.high
    return found


def given_as(field: Field) -> Any:
    """The component that receives a field."""
    about = schema(field) | {"additional_description": field.description}
    example: Any = field.default
    if field.kind == "picture":
        example = {"path": "photo.jpg", "meta": {"_type": "gradio.FileData"}}
    return Given(field.default, about, field.label, example)


def description(name: str, fields: list[Field]) -> str:
    """A docstring from the form, for the documentation and for language models."""
    method = METHODS[name]
    summary = f"{method.summary}\n\n{method.paper.title} ({method.paper.year})."
    return documented(summary, fields, "The pictures as PNG files, and how they were made.")


def documented(summary: str, fields: Sequence[Field], returns: str) -> str:
    """A docstring of an endpoint's ``fields``."""
    lines = [summary, "", "Args:"]
    for field in fields:
        words = [field.description or field.label + "."]
        if field.choices:
            words.append(f"One of {', '.join(field.choices)}.")
        elif field.low is not None and field.high is not None:
            words.append(f"From {field.low:g} to {field.high:g}.")
        if not field.required and field.default not in (None, []):
            words.append(f"Default {field.default}.")
        lines.append(f"    {field.name}: {' '.join(words)}")
    lines += ["", "Returns:", f"    {returns}"]
    return "\n".join(lines)
