"""The command line of a recipe, read from its fields."""

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from training.loop import Trainer, fit
from training.recipe import Recipe, Run
from zoo import allocator
from zoo.errors import ZooError
from zoo.form import Field, Form, form_of

R = TypeVar("R", bound=Recipe)


@contextmanager
def mistakes_told() -> Iterator[None]:
    """End the process at a ZooError: with its one line and exit code 2 in place of a traceback."""
    try:
        yield
    except ZooError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)


def main(
    recipe: type[R], trainer: Callable[[R, Run], Trainer[R]], argv: list[str] | None = None
) -> None:
    """Parse ``argv`` into a recipe and a run, and train; the process exits with the outcome.

    Flags are the fields of ``recipe`` and :class:`Run` with their bounds and descriptions.
    ``--recipe FILE`` takes values from a published recipe first.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    allocator.keep_freed()
    recipe_form, run_form = form_of(recipe), form_of(Run)

    def train(**values: Any) -> None:
        with mistakes_told():
            settings = _check(recipe, recipe_form, values)
            fit(trainer(settings, _check(Run, run_form, values)))

    command = click.Command(
        recipe.__module__,
        callback=train,
        params=[_option(field) for field in (*recipe_form, *run_form)],
        help=recipe.__doc__,
        context_settings={"max_content_width": 100},
    )
    command.params.append(
        click.Option(
            ["--recipe"],
            type=click.Path(path_type=Path),
            is_eager=True,
            expose_value=False,
            callback=_defaults_from,
            help="Take values from the recipe.json of a checkpoint; other flags go over it.",
        )
    )
    command.main(argv)


def _check(kind: type[Any], form: Form, values: dict[str, Any]) -> Any:
    return kind(**form.check({field.name: values.get(field.name) for field in form}))


def _option(field: Field) -> click.Option:
    flag = "--" + field.name.replace("_", "-")
    names = [f"{flag}/--no-{flag[2:]}" if field.kind == "bool" else flag, field.name]
    # Everything arrives as text: the form checks and converts, with one set of messages.
    options: dict[str, Any] = {"type": bool if field.kind == "bool" else str, "help": _help(field)}
    if field.required:
        options["required"] = True
    elif field.default is not None:
        options |= {"default": field.default, "show_default": True}
    return click.Option(names, **options)


def _help(field: Field) -> str:
    if field.choices:
        return f"{field.description} [{' | '.join(field.choices)}]"
    if field.low is not None and field.high is not None:
        return f"{field.description} [{field.low:g} to {field.high:g}]"
    return field.description


def _defaults_from(context: click.Context, option: click.Parameter, path: Path | None) -> None:
    if path is None:
        return
    try:
        values = json.loads(path.read_text())
        context.default_map = {name: value for name, value in values.items() if value is not None}
    except (OSError, ValueError, AttributeError) as error:
        raise click.BadParameter(f"{path} is no recipe ({error})", context, option) from error
