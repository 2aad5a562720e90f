"""What the recipes of MUNIT and DRIT share."""

from pathlib import Path

import pytest

from tests.training.toys import recipe_of, run_in, trainer_of


@pytest.mark.parametrize("name", ["munit", "drit"])
def test_a_manner_is_taken_over_where_it_is_asked_for(
    photos: Path, paintings: Path, tmp_path: Path, name: str
) -> None:
    recipe = recipe_of(
        name, photos, paintings, manner_weight=30.0, lr=3e-3, skip=True, mode_seeking_weight=0.0
    )
    made = trainer_of(name, recipe, run_in(tmp_path / "run"))
    far = [made.step()["manner"].item() for _ in range(30)]
    assert sum(far[-5:]) < 0.8 * sum(far[:5])


def test_without_its_weight_no_manner_is_looked_at(
    photos: Path, paintings: Path, tmp_path: Path
) -> None:
    recipe = recipe_of("drit", photos, paintings)
    made = trainer_of("drit", recipe, run_in(tmp_path / "run"))
    assert "manner" not in made.step()
    assert not hasattr(made, "manners")
