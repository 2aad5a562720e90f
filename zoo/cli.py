"""The commands ``list``, ``info``, ``run``, ``video``, ``compare`` and ``convert``."""

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.errors import InputError
from zoo.files import write_atomic
from zoo.form import Field

if TYPE_CHECKING:  # brings torch along
    from zoo.compare import Row
    from zoo.method import Method
    from zoo.pipeline import Pipeline, Progress

_NAME_BYTES = 240  # of the files that compare writes, without their ending


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@click.option("--hub", is_flag=True, help="What the hub at HF_ENDPOINT has, not what ships here.")
def list_checkpoints(as_json: bool, hub: bool) -> None:
    """List the checkpoints that ship with the code, or those of a hub."""
    if hub:
        from zoo.hub.client import connect
        from zoo.hub.commands import print_models

        print_models(connect(), as_json=as_json)
        return
    # Reads config files only: torch, which takes seconds to import, stays out of it.
    folder = Path(__file__).parent / "checkpoints"
    rows = []
    for config in sorted(folder.glob("*/config.json")):
        size = sum(p.stat().st_size for p in config.parent.rglob("*") if p.is_file())
        method = json.loads(config.read_text())["method"]
        rows.append({"repo_id": f"zoo/{config.parent.name}", "method": method, "bytes": size})
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    width = max((len(row["repo_id"]) for row in rows), default=0)
    for row in rows:
        click.echo(f"{row['repo_id']:<{width}}  {row['method']:<16}  {row['bytes'] / 1e6:6.1f} MB")


@click.command()
@click.argument("name")
@click.option("--hub", is_flag=True, help="What the hub at HF_ENDPOINT says of it.")
def info(name: str, hub: bool) -> None:
    """Show a checkpoint (zoo/…), or the settings of a method."""
    if hub:
        from zoo.hub.client import connect
        from zoo.hub.commands import print_model

        print_model(connect(), name)
        return
    from zoo import checkpoint
    from zoo.methods import get_method
    from zoo.pipeline import form_for
    from zoo.runtime import shipped

    if "/" in name:
        folder, revision = shipped(name)
        config = checkpoint.read_config(folder)
        click.echo(f"{name}@{revision[:8]}\nmethod    {config['method']}")
        for key, value in config["config"].items():
            click.echo(f"{key:<9} {value}")
        name = config["method"]
    method = get_method(name)
    paper = method.paper
    click.echo(f"{method.title}: {method.summary}")
    click.echo(f"{paper.authors}: {paper.title} ({paper.year}), {paper.url}")
    for field in form_for(method):
        click.echo(f"  {_flag(field):<20} {_describe(field)}")


class MethodCommand(click.Group):
    """``run METHOD``: a subcommand for each method, its options read from the method's form."""

    def list_commands(self, context: click.Context) -> list[str]:
        """The methods, in their order."""
        from zoo.methods import METHODS

        return list(METHODS)

    def get_command(self, context: click.Context, name: str) -> click.Command:
        """Build the command of one method; raises UnknownMethodError."""
        from zoo.methods import get_method
        from zoo.pipeline import form_for

        method = get_method(name)
        options = [*(_option(field) for field in form_for(method)), *_common(method)]
        return click.Command(name, params=[*options], callback=_run_method, help=method.summary)


@click.command(cls=MethodCommand)
def run() -> None:
    """Repaint a picture: ``run METHOD --content photo.jpg --style painting.jpg --out new.png``.

    Several results (samples) are written as new-1.png, new-2.png and so on.
    """


class VideoCommand(MethodCommand):
    """``video METHOD``: likewise, for the methods that are quick enough."""

    def list_commands(self, context: click.Context) -> list[str]:
        """The methods that repaint videos, in their order."""
        from zoo.methods import METHODS
        from zoo.video import films

        return [name for name, method in METHODS.items() if films(method)]

    def get_command(self, context: click.Context, name: str) -> click.Command:
        """Build the command of one method; raises UnknownMethodError or InputError."""
        from zoo.methods import get_method
        from zoo.video import fields_of

        method = get_method(name)
        if name not in (known := self.list_commands(context)):
            raise InputError(
                "{title} takes too long for a frame to repaint videos; use {known}.",
                title=method.title,
                known=", ".join(known),
            )
        options = [
            click.Option(["--clip"], required=True, type=click.Path(path_type=Path), help="Video."),
            *(_option(field) for field in fields_of(method)),
            *_common(method),
        ]
        return click.Command(name, params=[*options], callback=_run_video, help=method.summary)


@click.command(cls=VideoCommand)
def video() -> None:
    """Repaint a video: ``video METHOD --clip holiday.mp4 --out new.mp4``.

    At most 30 seconds and 24 frames a second; the sound goes along.
    """


@click.command()
@click.option("--content", "contents", multiple=True, required=True, help="Photo; also several.")
@click.option("--style", "styles", multiple=True, help="Painting; also several.")
@click.option(
    "--methods",
    "wanted",
    multiple=True,
    required=True,
    help="Names of methods or checkpoints, with commas between them. Where one has learned several "
    "paintings, the number of one may follow: many_styles:2.",
)
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="Folder.")
@click.option("--size", default=512, show_default=True, help="Longer side in pixels; 0 keeps it.")
@click.option(
    "--runs",
    default=3,
    show_default=True,
    type=click.IntRange(0, 99),
    help="Timed runs after a first one that warms up; with 0 the time is that of the first.",
)
@click.option(
    "--memory/--no-memory",
    "with_memory",
    default=True,
    show_default=True,
    help="On a CPU, run each once more, for each size of pictures, in a fresh process.",
)
@click.option("--device", default="auto", show_default=True)
def compare(
    contents: tuple[str, ...],
    styles: tuple[str, ...],
    wanted: tuple[str, ...],
    out: Path,
    size: int,
    runs: int,
    with_memory: bool,
    device: str,
) -> None:
    """Run methods on the same pictures, and measure time, memory and quality.

    Several photos and paintings are combined, each with each. OUT gets table.csv, table.json,
    all.png with all results, and each result as a picture of its own.
    """
    from zoo import images
    from zoo.compare import chosen, picture, ranked, to_csv, to_json
    from zoo.compare import compare as compared
    from zoo.pipeline import LARGEST
    from zoo.runtime import Runtime

    if not 0 <= size <= LARGEST:
        raise InputError("Size: {size} is outside 0 to {most}.", size=size, most=LARGEST)
    runtime = Runtime(device)
    names = [name.strip() for group in wanted for name in group.split(",") if name.strip()]
    contestants = chosen(names, runtime)
    photos, paintings = (
        {name: images.open_picture(path).image for name, path in _named(paths).items()}
        for paths in (contents, styles)
    )
    out.mkdir(exist_ok=True, parents=True)
    entries = []
    fetch = runtime.fetch if with_memory else None
    for entry, progress in compared(
        runtime, contestants, photos, paintings, size=size, runs=runs, fetch=fetch
    ):
        row = entry.row
        parts = [row.content, row.style, row.checkpoint.removeprefix("zoo/").replace("/", "-")]
        parts.append(re.sub(r"\W+", "-", row.painting).strip("-").lower())
        name = _joined([part for part in parts if part])
        click.echo(f"{name}: {row.error or f'{row.seconds:.2f} s'}", err=True)
        if progress:
            write_atomic(out / f"{name}.png", progress.png())
        entries.append(entry)
    rows = [entry.row for entry in entries]
    write_atomic(out / "table.csv", to_csv(rows).encode())
    write_atomic(out / "table.json", to_json(rows).encode())
    write_atomic(
        out / "all.png", images.to_png(images.to_tensor(picture(entries, photos, paintings))[0])
    )
    _print_rows(ranked(rows))
    if all(row.error for row in rows):
        raise InputError("No method had a result.")


def _joined(parts: list[str]) -> str:
    """A file's name of several; what is long is cut, as file systems take 255 bytes."""
    name = "_".join(parts)
    if len(os.fsencode(name)) <= _NAME_BYTES:
        return name
    # Names may differ only in what is cut off.
    mark = hashlib.sha256(os.fsencode(name)).hexdigest()[:8]
    size = _NAME_BYTES // len(parts) - len(mark)
    return "_".join([*(os.fsencode(part)[:size].decode(errors="ignore") for part in parts), mark])


def _named(paths: Iterable[str]) -> dict[str, str]:
    """Files by their stems; those of the same stem are numbered."""
    found: dict[str, str] = {}
    for path in paths:
        stem = Path(path).stem
        name, number = stem, 2
        while name in found:
            name, number = f"{stem}-{number}", number + 1
        found[name] = path
    return found


def _print_rows(rows: "Iterable[Row]") -> None:
    """A table for people: the fastest first."""
    from zoo.metrics import FIGURES

    head = ["checkpoint", "pictures", "seconds", "runs", "load s", "peak MB"]
    table = [[*head, *(figure.title for figure in FIGURES)]]
    for row in rows:
        cells = [row.checkpoint, " × ".join(filter(None, (row.content, row.style, row.painting)))]
        if row.error:
            table.append([*cells, row.error])
            continue
        memory = None if row.memory is None else row.memory / 1e6
        cells += [_written(row.seconds, 3), f"{row.runs}{'' if row.warm else ' cold'}"]
        cells += [_written(row.loading, 2), _written(memory, 0)]
        table.append([*cells, *(_written(row.figures[figure.key], 3) for figure in FIGURES)])
    widths = [max(len(line[i]) for line in table if len(line) > i) for i in range(len(table[0]))]
    for line in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=False)))


def _written(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


class FormatCommand(click.Command):
    """A command whose help lists the formats, which are imported only then."""

    def format_epilog(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a line for each format."""
        from zoo.convert.formats import FORMATS

        rows = [
            (name, f"{kind.source}{f' (--second: {kind.second})' if kind.second else ''}")
            for name, kind in FORMATS.items()
        ]
        with formatter.section("Formats"):
            formatter.write_dl(rows)


@click.command(cls=FormatCommand)
@click.argument("format_name", metavar="FORMAT")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--second", type=click.Path(path_type=Path), help="Second file of some formats.")
@click.option("--half", is_flag=True, help="Write float16: half the size.")
def convert(format_name: str, file: Path, out: Path, second: Path | None, half: bool) -> None:
    """Turn the released weights in FILE into a checkpoint in the new folder OUT."""
    import torch

    from zoo.convert import formats

    dtype = torch.float16 if half else torch.float32
    method = formats.convert(format_name, file, out, second=second, dtype=dtype)
    click.echo(f"{out}: {method.title}, {formats.FORMATS[format_name].terms}")


def _common(method: "type[Method]") -> list[click.Option]:
    return [
        click.Option(["-o", "--out"], required=True, type=click.Path(path_type=Path)),
        click.Option(["--checkpoint"], default=method.checkpoint, show_default=True),
        click.Option(["--device"], default="auto", show_default=True),
    ]


def _run_method(out: Path, checkpoint: str, device: str, **values: Any) -> None:
    _check_out(out, ".png")
    progress = _followed(_pipeline(checkpoint, device).stream(**_inputs(values)), "Step")
    count = len(progress.tensors)
    for index in range(count):
        path = out if count == 1 else out.with_stem(f"{out.stem}-{index + 1}")
        write_atomic(path, progress.png(index))
    _tell_done(progress)


def _run_video(clip: Path, out: Path, checkpoint: str, device: str, **values: Any) -> None:
    from zoo.video import Clip, restyle

    _check_out(out, ".mp4")
    found = Clip(clip)
    pipeline = _pipeline(checkpoint, device)
    running = restyle(pipeline, clip=found, out=out, **_inputs(values))
    _tell_done(_followed(running, "Frame"))


def _check_out(out: Path, suffix: str) -> None:
    if out.suffix.lower() != suffix:
        raise InputError("Out: “{name}” has to end in {suffix}.", name=out.name, suffix=suffix)
    if not out.parent.is_dir():
        raise InputError("Out: there is no folder “{name}”.", name=str(out.parent))


def _pipeline(checkpoint: str, device: str) -> "Pipeline":
    from zoo.runtime import Runtime

    repo_id, _, revision = checkpoint.partition("@")
    return Runtime(device).pipeline(repo_id, revision or "main")


def _inputs(values: Mapping[str, Any]) -> dict[str, Any]:
    """What the options say, as the form takes it; what nobody gave is left out."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if value is not None
    }


def _followed(running: "Iterator[Progress]", unit: str) -> "Progress":
    """The result of work, whose steps are shown where somebody looks on."""
    shown = sys.stderr.isatty()
    for progress in running:
        if shown:
            words = f"\r{unit} {progress.number} of {progress.total}"
            click.echo(words, err=True, nl=False)
    if shown:
        click.echo(err=True)
    for notice in progress.notices:
        click.echo(notice, err=True)
    return progress


def _tell_done(progress: "Progress") -> None:
    if record := progress.record:
        click.echo(
            f"Done in {record.seconds:.2f} s on {record.device} · {record.width}×{record.height} px"
            f" · {record.checkpoint}@{record.revision[:8]}",
            err=True,
        )


def _flag(field: Field) -> str:
    return "--" + field.name.replace("_", "-")


def _option(field: Field) -> click.Option:
    """The option for one field; its bounds are checked by the form, with the form's words."""
    names = [_flag(field), field.name]
    if field.kind == "bool":
        names[0] = f"{_flag(field)}/--no-{_flag(field)[2:]}"
    kinds: dict[str, Any] = {"int": int, "float": float, "numbers": float, "bool": bool}
    return click.Option(
        names,
        type=click.Choice(field.choices) if field.choices else kinds.get(field.kind, str),
        multiple=field.kind in ("pictures", "numbers"),
        required=field.required,
        default=() if field.kind in ("pictures", "numbers") else field.default,
        help=_describe(field),
    )


def _describe(field: Field) -> str:
    words = [field.description or f"{field.label}."]
    if field.low is not None and field.high is not None:
        words.append(f"{field.low:g} to {field.high:g}.")
    if field.choices:
        words.append(" | ".join(field.choices) + ".")
    if not field.required and field.default not in (None, []):
        words.append(f"Default {field.default}.")
    return " ".join(words)
