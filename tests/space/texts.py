"""Finds every text that the site can show, by reading the sources and the forms."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

from space.controls import choice_word
from space.pictures import PAINTINGS, PHOTOS
from zoo import checkpoint
from zoo.form import form_of
from zoo.methods import METHODS
from zoo.metrics import FIGURES
from zoo.pipeline import form_for
from zoo.regions import PALETTE, REST
from zoo.video import video_options

ROOT = Path(__file__).parents[2]
# Calls whose first text argument is shown, with the place of that argument.
SHOWN = {"t": 0, "say": 1, "Notice": 0, "Column": 1}
# Arguments by these names hold texts that a template translates.
NAMED = {"caption", "step"}
# The hub's server answers programs, the command line and the training people in a terminal.
ELSEWHERE = ("zoo/hub/server/", "zoo/convert/", "zoo/cli.py", "zoo/__main__.py", "zoo/card.py")


def sources() -> Iterator[Path]:
    for folder in ("zoo", "space"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not path.relative_to(ROOT).as_posix().startswith(ELSEWHERE):
                yield path


def errors_of(tree: ast.AST, known: set[str]) -> set[str]:
    """Names of the classes that derive from an error of the zoo."""
    found = set(known)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
            if bases & found:
                found.add(node.name)
    return found


def constants(node: ast.AST) -> Iterator[str]:
    """The texts that an argument can be: itself, or either side of a choice."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from constants(node.body)
        yield from constants(node.orelse)


def called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def in_source(path: Path, errors: set[str]) -> Iterator[str]:
    tree = ast.parse(path.read_text("utf-8"))
    errors = errors_of(tree, errors)
    names: dict[str, list[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            names.setdefault(node.targets[0].id, []).extend(constants(node.value))
        if isinstance(node, ast.Return) and node.value is not None:
            continue
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = called(node)
        place = 0 if name in errors else SHOWN.get(name)
        if place is not None and len(node.args) > place:
            argument = node.args[place]
            yield from constants(argument)
            if isinstance(argument, ast.Name):
                yield from names.get(argument.id, [])
        if name in ("header", "about", "opening", "empty_result", "aside", "picker", "picture_box"):
            for argument in node.args[:1]:
                yield from constants(argument)
                if isinstance(argument, ast.Name):
                    yield from names.get(argument.id, [])
        for keyword in node.keywords:
            if keyword.arg in NAMED:
                yield from constants(keyword.value)


def in_scripts() -> Iterator[str]:
    for path in (ROOT / "space" / "static").glob("*.js"):
        for call in re.findall(r"sz\.t\(([^()]*)\)", path.read_text("utf-8")):
            yield from re.findall(r"'([^']+)'", call)


def in_forms() -> Iterator[str]:
    for method in METHODS.values():
        yield method.title
        yield method.summary
    for form in (*map(form_for, METHODS.values()), form_of(video_options)):
        for field in form:
            yield field.label
            yield field.description
            yield from (choice_word(field, choice) for choice in field.choices)
            yield from (word for word, _ in field.control.offers)


def in_configs() -> Iterator[str]:
    for path in checkpoint.SHIPPED.glob("*/config.json"):
        shipped = json.loads(path.read_text("utf-8"))
        method = METHODS[shipped["method"]]
        config = method.Config(**shipped["config"])
        yield method.style_of(config)
        for offered in method.offers(config).values():
            yield from (word for word, _ in offered)


def in_figures() -> Iterator[str]:
    for figure in FIGURES:
        yield figure.title
        yield figure.meaning
        if not figure.features.startswith("VGG-19"):  # names of layers are the same everywhere
            yield figure.features


def every_text() -> set[str]:
    errors = errors_of(ast.parse((ROOT / "zoo" / "errors.py").read_text()), {"ZooError"})
    found = {text for path in sources() for text in in_source(path, errors)}
    found |= set(in_configs()) | set(in_scripts()) | set(in_forms()) | set(in_figures())
    found |= {picture.name for picture in (*PHOTOS, *PAINTINGS)} | {"None", "Stylize", "Generate"}
    found |= {*PALETTE, REST}
    return {text for text in found if re.search("[A-Za-z]{2}", text)}
