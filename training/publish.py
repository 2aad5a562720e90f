"""Turn a finished run into a checkpoint with its card, and push it to a hub.

    python -m training.publish runs/adain zoo/adain --license photos="Flickr, research only"
        --content photo.jpg --style painting.jpg --metrics quality.json --out zoo/checkpoints/adain

The folder holds ``config.json``, ``model.safetensors``, ``recipe.json``, the loss curves, sample
pictures and the card, ``README.md``. Everything the card says is read from the run, the code and
the files given here.
"""

import inspect
import io
import json
import logging
import re
import shutil
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from html import escape
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

import click
from torchvision.utils import make_grid

from training import halves, thumbnails
from training.cli import mistakes_told
from training.loop import CHECKPOINT, METRICS, RECIPE, RUN, write
from training.recipe import Recipe
from training.sheet import Sheet
from zoo import card, checkpoint, images
from zoo.card import CardFacts, DataSet, Metric
from zoo.errors import CheckpointError, InputError
from zoo.files import staged
from zoo.method import Method
from zoo.methods import METHODS
from zoo.pipeline import VERSION

log = logging.getLogger(__name__)

CURVES, SAMPLES, NEIGHBOURS = "curves.svg", "samples.jpg", "neighbours.png"
STARTED = (
    "Training started from the weights of an earlier run, which the steps and the time given here "
    "leave out; the command alone does not make the same weights."
)
# A departure, and what of its recipe or its network decides whether weights have it.
MARK = re.compile(r"\b(Differs from the (?:paper|published code)\b)(?: \[(\w+)(?:=([^]]+))?\])?")
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")  # apart also for the colour-blind


def publish(
    run: Path,
    out: Path,
    repo_id: str,
    *,
    contents: Sequence[Path] = (),
    contents_b: Sequence[Path] = (),
    styles: Sequence[Path] = (),
    size: int = 384,
    options: Mapping[str, Any] | None = None,
    vary: Mapping[str, Sequence[Any]] | None = None,
    metrics: Sequence[Metric] = (),
    licenses: Mapping[str, str] | None = None,
    limits: Sequence[str] = (),
) -> CardFacts:
    """Write the checkpoint of ``run`` with its card and samples to ``out``.

    Args:
        run: Folder of a run that saved at least once.
        out: Where; an earlier checkpoint there is replaced as a whole, at the very end.
        repo_id: What it will be called.
        contents: Photos for the samples, which must be free to be shown; the first is that of the
            thumbnails.
        contents_b: For a method that goes both ways, pictures of the second kind for them.
        styles: Style pictures for them; none for methods that take none.
        size: Longer side of a sample in pixels.
        options: Further settings of the method for the samples.
        vary: A setting whose values get a row of samples each.
        metrics: What was measured.
        licenses: What is to be said of each data set, by the name of its stream.
        limits: Known limits, a sentence each; a schedule shorter than the recipe's default is
            stated without being asked.

    Returns:
        What the card says.

    Raises:
        CheckpointError: The run saved nothing yet, its files are damaged, or the weights have a
            fault that the recipe's gate finds, or do not give the pictures of full precision.
        InputError: A sample picture cannot be used.
    """
    recipe, facts = _read(run / RECIPE), _read(run / RUN)
    method = checkpoint.load(run / CHECKPOINT)
    trainer = import_module(f"training.{method.name}")
    paths = places(recipe_in(trainer))
    settings = recipe_in(trainer)(**typed(recipe, paths))
    shown = Sheet(
        contents=contents,
        contents_b=contents_b,
        styles=styles,
        size=size,
        options=options or {},
        vary=vary or {},
    )
    metrics = (*metrics, *checked(method, settings, shown, run))
    if neighbours := getattr(trainer, "neighbours", None):
        # Beside the run and not in the checkpoint: training pictures may not be free to be shown.
        buffer = io.BytesIO()
        images.to_pil(make_grid(neighbours(method, settings))[None])[0].save(buffer, "PNG")
        write(run / NEIGHBOURS, buffer.getvalue())
    whole = recipe_in(trainer).__dataclass_fields__["steps"].default
    if facts["step"] < whole:
        share = f"A short schedule: {facts['step']} steps of {recipe['batch_size']} pictures"
        limits = (f"{share}, where the full recipe makes {whole}.", *limits)
    if recipe.get("start_from") or recipe.get("add_to"):
        limits = (STARTED, *limits)
    numbers = {key: value for key, value in recipe.items() if key not in paths}
    if recipe.get("add_to"):  # whose network it is, whatever the flags say
        network = asdict(method.config)
        numbers |= {key: network[key] for key in numbers.keys() & network.keys()}
    if "precision" in facts:  # what it was computed in, which the processor may have changed
        numbers["precision"] = facts["precision"]
    made = CardFacts(
        **vars(checkpoint.facts_of(method, repo_id))
        | {
            "license_note": "The weights are the project's own; the pictures are not part of it.",
            "datasets": tuple(
                DataSet(**data, license=(licenses or {}).get(stream, card.UNSTATED))
                for stream, data in facts["data"].items()
            ),
            "recipe": numbers,
            "command": command(method.name, recipe, paths - {"start_from", "add_to"}),
            "seed": recipe["seed"],
            "code_version": code_version(),
            "device": facts["device"],
            "seconds": float(facts["seconds"]),
            "metrics": tuple(metrics),
            "limits": tuple(limits),
        }
    )
    made = replace(made, departures=departures(made))
    lines = [json.loads(line) for line in (run / METRICS).read_text().splitlines()]
    files = {
        name: (run / CHECKPOINT / name).read_bytes()
        for name in (checkpoint.CONFIG, checkpoint.WEIGHTS)
    }
    files[RECIPE] = json.dumps(numbers, indent=2).encode() + b"\n"
    files[CURVES] = curves(lines).encode()
    return lay_out(out, method, made, shown, files)


def renew(
    folder: Path, out: Path, places: Mapping[str, Path], shown: Sheet, metrics: Sequence[Metric]
) -> CardFacts:
    """Write the checkpoint in ``folder`` to ``out`` with figures and samples made anew.

    Weights, curves and what the card says of its training stay as they are; what its method and
    recipe differ in from the paper is told in the words of today.

    Args:
        folder: A published checkpoint; its run is not needed.
        out: Where; may be ``folder``, which is then replaced at the very end.
        places: The pictures that its recipe was trained on, by field.
        shown: What the samples are made of.
        metrics: What was measured.

    Returns:
        What the card says now.

    Raises what :func:`publish` does.
    """
    try:
        facts = card.parse((folder / checkpoint.CARD).read_text())
        files = {
            name: (folder / name).read_bytes()
            for name in (checkpoint.CONFIG, checkpoint.WEIGHTS, RECIPE, CURVES)
        }
    except OSError as error:
        raise CheckpointError(
            "{folder} is no published checkpoint: {name} cannot be read.",
            folder=folder,
            name=Path(error.filename).name,
        ) from error
    method = checkpoint.load(folder)
    kind = recipe_in(import_module(f"training.{method.name}"))
    known = kind.__dataclass_fields__  # of an older version there may be more
    told = {name: value for name, value in facts.recipe.items() if name in known}
    made = replace(
        facts,
        metrics=(*metrics, *checked(method, kind(**told | dict(places)), shown, None)),
        departures=departures(facts),
    )
    return lay_out(out, method, made, shown, files)


def checked(method: Method, recipe: Recipe, shown: Sheet, run: Path | None) -> list[Metric]:
    """What the recipe's gate measures, and the rounding of the weights.

    Args:
        method: With the weights to ship.
        recipe: What it was trained by.
        shown: Pictures to try it on.
        run: Folder of the run that made it, where that is at hand.

    Raises CheckpointError when a gate refuses, or half precision changes the pictures.
    """
    found: list[Metric] = []
    if gate := getattr(import_module(f"training.{method.name}"), "gate", None):
        # Faults that no loss curve shows; each recipe knows its own.
        paths = dict.fromkeys((*shown.contents, *shown.contents_b))
        photos = [images.to_tensor(images.open_picture(path).image) for path in paths]
        more = {"run": run} if "run" in inspect.signature(gate).parameters else {}
        found += gate(method, photos, recipe, **more)
    if tried := shown.some(method):
        if run:
            halves.compare(method, halves.original(run, method), tried)
        found.append(halves.rounding(method, tried))
    return found


def lay_out(
    out: Path, method: Method, facts: CardFacts, shown: Sheet, files: Mapping[str, bytes]
) -> CardFacts:
    """Write ``files``, samples, thumbnails and the card to ``out``; returns what the card says."""
    sheet = shown.draw(method)
    facts = replace(facts, samples=(SAMPLES, CURVES) if sheet else (CURVES,))
    with staged(out) as folder:
        for name, data in files.items():
            write(folder / name, data)
        if sheet:
            buffer = io.BytesIO()
            sheet.save(buffer, "JPEG", quality=82, optimize=True, progressive=True)
            write(folder / SAMPLES, buffer.getvalue())
        if sheet and shown.contents:
            thumbnails.make(method, folder, shown.contents[0])
        write(folder / checkpoint.CARD, card.render(facts).encode())
    return facts


def recipe_in(trainer: ModuleType) -> type[Recipe]:
    """The recipe of a training module: the last one that it defines."""
    kinds = [kind for name, kind in vars(trainer).items() if name.endswith("Recipe")]
    return [kind for kind in kinds if kind.__module__ == trainer.__name__][-1]


def places(kind: type[Recipe]) -> set[str]:
    """The fields of a recipe that hold paths, which mean nothing on another machine."""
    hints = get_type_hints(kind)
    return {name for name, hint in hints.items() if hint in (Path, Path | None)}


def retell(folder: Path) -> None:
    """Bring what the card in ``folder`` says of departures up to date; all else stays as it is."""
    path = folder / checkpoint.CARD
    facts = card.parse(path.read_text())
    write(path, card.render(replace(facts, departures=departures(facts))).encode())


def departures(facts: CardFacts) -> tuple[str, ...]:
    """What the code of a checkpoint's method and training marks with "Differs from …".

    ``[judged=features]`` behind a mark leaves it to weights whose recipe, or network, has that
    value; ``[guided]`` to those that have it, and not as 0, "none" or the like. What a recipe of an
    earlier version does not have is as it is by default.
    """
    method = METHODS[facts.method]
    recipe = recipe_in(import_module(f"training.{facts.method}"))
    settings = {
        **{name: field.default for name, field in recipe.__dataclass_fields__.items()},
        **asdict(method.Config(**facts.config)),
        **facts.recipe,
        "start_from": STARTED in facts.limits,  # a recipe on a card has no places
    }
    found = []
    for module in dict.fromkeys(map(inspect.getmodule, [*method.__mro__, *recipe.__mro__])):
        ours = module and module.__name__.startswith(("zoo.", "training."))
        lines = inspect.getsource(module).splitlines() if module and ours else []
        for number, line in enumerate(lines):
            mark = MARK.search(line)
            if not mark:
                continue
            start, name, wanted = mark.groups()
            value = settings.get(name) if name else True
            if not (str(value) == wanted if wanted else value not in (None, 0, "", "none")):
                continue
            comment = line.lstrip().startswith("#")
            words = [start + line[mark.end() :]]
            for following in lines[number + 1 :]:
                text = following.strip()
                if not text or text.startswith('"""') or text.startswith("#") != comment:
                    break
                words.append(text.lstrip("# "))
            sentence = " ".join(words)
            found.append(sentence.removesuffix('"""').strip())
    return tuple(dict.fromkeys(found))


def typed(recipe: Mapping[str, Any], paths: Collection[str]) -> dict[str, Any]:
    """The values of ``recipe.json`` as a recipe has them."""
    return {
        key: Path(value) if key in paths and value is not None else value
        for key, value in recipe.items()
    }


def command(name: str, recipe: Mapping[str, Any], paths: Collection[str]) -> str:
    """The command that makes the checkpoint again, with the pictures' places left open."""
    words = [f"python -m training.{name} --recipe recipe.json"]
    for key, value in recipe.items():
        if key in paths and value is not None:
            flag = key.replace("_", "-")
            words.append(f"--{flag} {'PICTURE' if key == 'style' else 'DIR'}")
    return " ".join([*words, f"--out runs/{name}"])


def code_version() -> str:
    """The version and, in a checkout, the commit of the code."""
    git = shutil.which("git")
    if git:
        root = Path(__file__).parent
        asked = subprocess.run(
            [git, "rev-parse", "--short=12", "HEAD"], cwd=root, capture_output=True, text=True
        )
        if asked.returncode == 0:
            return f"{VERSION} ({asked.stdout.strip()})"
    return VERSION


def curves(lines: Sequence[Mapping[str, float]], points: int = 200) -> str:
    """The losses of a run over its steps as an SVG picture, each from 0 to its largest value."""
    skipped = {"step", "lr", "images_per_second", "seconds"}
    names = [n for n in dict.fromkeys(n for line in lines for n in line) if n not in skipped]
    last = max((line["step"] for line in lines), default=1)
    every = max(1, len(lines) // points)
    drawn, legend = [], []
    for number, name in enumerate(names):
        values = [(line["step"], line[name]) for line in lines if name in line]
        # A mean over neighbours: single batches say little.
        groups = [values[i : i + every] for i in range(0, len(values), every)]
        smooth = [(g[-1][0], sum(v for _, v in g) / len(g)) for g in groups]
        top = max((v for _, v in smooth), default=0) or 1
        path = " ".join(f"{40 + 540 * s / last:.1f},{230 - 200 * v / top:.1f}" for s, v in smooth)
        color = COLORS[number % len(COLORS)]
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="1.5"/>')
        words = f"{name}: {smooth[0][1]:.3g} → {smooth[-1][1]:.3g}" if smooth else name
        legend.append(
            f'<text x="{300 * (number % 2) + 40}" y="{265 + 18 * (number // 2)}" '
            f'fill="{color}">{escape(words)}</text>'
        )
    height = 275 + 18 * ((len(names) + 1) // 2)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 {height}" '
        'font-family="sans-serif" font-size="13">\n'
        f'<rect width="600" height="{height}" fill="white"/>\n'
        '<path d="M40 20V230H580" fill="none" stroke="#555"/>\n'
        f'<text x="580" y="246" text-anchor="end" fill="#333">step {last:.0f}</text>\n'
        + "\n".join(drawn + legend)
        + "\n</svg>\n"
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            "{folder} is no run that has saved something: {name} cannot be read ({reason}).",
            folder=path.parent,
            name=path.name,
            reason=error,
        ) from error


def _pairs(values: Sequence[str]) -> dict[str, str]:
    pairs = dict(value.partition("=")[::2] for value in values)
    if not all(pairs.values()):
        raise InputError("Give such settings as NAME=VALUE.")
    return pairs


def _metrics(path: Path | None) -> list[Metric]:
    if path is None:
        return []
    try:
        return [Metric(**line) for line in json.loads(path.read_text())]
    except (OSError, ValueError, TypeError) as error:
        raise InputError("{path} holds no metrics ({reason}).", path=path, reason=error) from error


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("repo_id")
@click.option("--out", type=click.Path(path_type=Path), help="Folder; else RUN/published.")
@click.option("--content", "contents", multiple=True, type=Path, help="Photo for the samples.")
@click.option("--content-b", "contents_b", multiple=True, type=Path, help="One of the other kind.")
@click.option("--style", "styles", multiple=True, type=Path, help="Style for the samples.")
@click.option("--size", default=384, show_default=True, help="Longer side of samples, pixels.")
@click.option("--option", "options", multiple=True, help="Setting for the samples, NAME=VALUE.")
@click.option("--vary", multiple=True, help="Rows of samples, NAME=VALUE,VALUE,….")
@click.option("--metrics", type=Path, help="JSON that benchmarks/quality.py wrote.")
@click.option("--license", "licenses", multiple=True, help="Of a data set, STREAM=WORDS.")
@click.option("--limit", "limits", multiple=True, help="A known limit, a sentence.")
@click.option("--push", is_flag=True, help="Upload it to the hub.")
@click.option("--endpoint", help="Address of the hub; else HF_ENDPOINT.")
@click.option("--token", help="For the hub; else ZOO_HUB_TOKEN.")
@click.option("--private", is_flag=True, help="Make the repository private.")
def main(
    run: Path,
    repo_id: str,
    out: Path | None,
    options: tuple[str, ...],
    vary: tuple[str, ...],
    metrics: Path | None,
    licenses: tuple[str, ...],
    push: bool,
    endpoint: str | None,
    token: str | None,
    private: bool,
    **others: Any,
) -> None:
    """Write the checkpoint of RUN with its card, and push it as REPO_ID where asked to."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    folder = out or run / "published"
    with mistakes_told():
        publish(
            run,
            folder,
            repo_id,
            options=_pairs(options),
            vary={name: words.split(",") for name, words in _pairs(vary).items()},
            metrics=_metrics(metrics),
            licenses=_pairs(licenses),
            **others,
        )
        log.info("wrote %s", folder)
        if push:
            from zoo.hub.client import connect  # training itself needs no hub

            commit = connect(endpoint, token=token).push(folder, repo_id, private=private)
            log.info("pushed %s at %s", repo_id, commit)


if __name__ == "__main__":
    main()
