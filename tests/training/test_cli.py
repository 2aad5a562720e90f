import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field

from training import cli
from training.recipe import Recipe, Run

Call = Callable[..., tuple[int, Any]]
Output = pytest.CaptureFixture[str]


@dataclass(frozen=True, kw_only=True)
class ToyRecipe(Recipe):
    """Train a toy."""

    photos: Path
    sharp: Annotated[bool, Field(description="Sharper.")] = False
    weight: Annotated[float, Field(ge=0, le=10, description="Of the toy.")] = 2.5


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Call:
    """Parse a command line; return the exit code and what would have been trained."""
    trained: list[Any] = []
    monkeypatch.setattr(cli, "fit", trained.append)

    def both(recipe: ToyRecipe, run: Run) -> Any:
        return recipe, run

    def run(*arguments: str) -> tuple[int, Any]:
        trained.clear()
        with pytest.raises(SystemExit) as exit_:
            cli.main(ToyRecipe, both, list(arguments))
        return int(exit_.value.code or 0), trained[0] if trained else None

    return run


def test_flags_are_the_fields_with_their_defaults(call: Call, capsys: Output) -> None:
    code, (recipe, run) = call("--photos", "somewhere", "--out", "there", "--sharp", "--lr=0.5")
    assert code == 0
    assert recipe == ToyRecipe(photos=Path("somewhere"), sharp=True, lr=0.5)
    assert run.out == Path("there")
    assert run.minutes == 0
    call("--help")
    text = capsys.readouterr().out
    for words in ("--sharp / --no-sharp", "Of the toy. [0 to 10]", "[default: 2.5]", "--dry-run"):
        assert words in " ".join(text.split())


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--weight", "11"], "Weight: 11 is outside 0 to 10"),
        (["--steps", "many"], "Steps: “many” is not a whole number"),
        (["--precision", "fp8"], "“fp8” is not one of fp32, bf16, fp16"),
        (["--device", "tpu"], "“tpu” is not one of auto, cpu"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(
    call: Call, capsys: Output, flags: list[str], words: str
) -> None:
    code, trained = call("--photos", "somewhere", "--out", "there", *flags)
    assert (code, trained) == (2, None)
    assert words in capsys.readouterr().err


def test_what_is_missing_or_unknown_is_named(call: Call, capsys: Output) -> None:
    assert call("--out", "there")[0] == 2
    assert "--photos" in capsys.readouterr().err
    assert call("--photos", "a", "--out", "b", "--colour", "red")[0] == 2
    assert "--colour" in capsys.readouterr().err


def test_a_published_recipe_is_the_default_and_flags_go_over_it(
    call: Call, tmp_path: Path, capsys: Output
) -> None:
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps({"lr": 0.25, "sharp": True, "steps": 7}))
    _, (recipe, _) = call("--recipe", str(path), "--photos", "a", "--out", "b", "--steps", "9")
    assert (recipe.lr, recipe.sharp, recipe.steps) == (0.25, True, 9)
    path.write_text("{")
    assert call("--recipe", str(path), "--photos", "a", "--out", "b")[0] == 2
    assert "is no recipe" in capsys.readouterr().err
