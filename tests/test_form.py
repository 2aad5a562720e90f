"""Forms: what a signature says, and what is refused with which words."""

from typing import Annotated, Literal

import pytest
from pydantic import Field
from torch import Tensor

from zoo.errors import InputError
from zoo.form import Control, Picture, form_of

Photo = Annotated[Tensor, Picture(), Field(title="Photo")]


def example(
    photo: Photo,
    *,
    others: list[Photo] = [],  # noqa: B006
    reference: Photo | None = None,
    steps: Annotated[int, Field(ge=1, le=9), Control(step=2, more=True)] = 5,
    weight: Annotated[float, Field(gt=0, le=1e6, description="How much.")] = 0.5,
    mode: Literal["fast", "good"] = "fast",
    mirror: bool = False,
    shares: list[float] = [],  # noqa: B006
    code: str = "",
) -> None: ...


FORM = form_of(example)


def test_kinds_follow_the_annotations() -> None:
    assert {field.name: field.kind for field in FORM} == {
        "photo": "picture",
        "others": "pictures",
        "reference": "picture",
        "steps": "int",
        "weight": "float",
        "mode": "choice",
        "mirror": "bool",
        "shares": "numbers",
        "code": "text",
    }


def test_bounds_words_and_controls_are_read() -> None:
    steps, weight = FORM.by_name["steps"], FORM.by_name["weight"]
    assert (steps.low, steps.high, steps.default, steps.required) == (1, 9, 5, False)
    assert (steps.control.step, steps.control.more) == (2, True)
    assert (weight.low, weight.high, weight.description) == (0, 1e6, "How much.")
    assert FORM.by_name["mode"].choices == ("fast", "good")
    assert FORM.by_name["photo"].required
    assert not FORM.by_name["reference"].required
    assert FORM.by_name["photo"].label == "Photo"
    assert FORM.by_name["steps"].label == "Steps"


def test_defaults_are_filled_in_and_text_is_converted() -> None:
    checked = FORM.check({"photo": "a.png", "steps": "7", "mirror": "yes", "shares": ["1", 2]})
    assert checked["steps"] == 7
    assert checked["mirror"] is True
    assert checked["shares"] == [1.0, 2.0]
    assert checked["weight"] == 0.5
    assert checked["reference"] is None


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "Photo: add a picture."),
        ({"photo": None}, "Photo: add a picture."),
        ({"steps": 0}, "Steps: 0 is outside 1 to 9."),
        ({"steps": 10}, "Steps: 10 is outside 1 to 9."),
        ({"steps": 2.5}, "Steps: “2.5” is not a whole number."),
        ({"steps": "many"}, "Steps: “many” is not a whole number."),
        ({"weight": "heavy"}, "Weight: “heavy” is not a number."),
        ({"weight": float("nan")}, "Weight: “nan” is not a number."),
        ({"weight": float("inf")}, "Weight: “inf” is not a number."),
        ({"weight": 0}, "Weight: 0 is outside 0 to 1000000."),
        ({"mode": "best"}, "Mode: “best” is not one of fast, good."),
        ({"mirror": "perhaps"}, "Mirror: “perhaps” is neither yes nor no."),
        ({"shares": ["x"]}, "Shares: “x” is not a number."),
        ({"stepps": 3}, "There is no setting “stepps”; use photo, others,"),
    ],
)
def test_refusals_name_the_field_and_the_remedy(values: dict[str, object], words: str) -> None:
    given = values if "photo" in values or not values else {"photo": "a.png"} | values
    with pytest.raises(InputError) as refused:
        FORM.check(given)
    assert str(refused.value).startswith(words)


def test_a_field_has_an_effect_only_with_the_values_it_names() -> None:
    def draw(
        mode: Literal["fast", "good"] = "fast",
        steps: Annotated[int, Control(only={"mode": "good"})] = 5,
        width: int = 3,
    ) -> None: ...

    form = form_of(draw)
    assert form.effective("steps", {}) is None
    assert form.effective("steps", {"steps": 9}) is None
    assert form.effective("steps", {"mode": "good"}) == 5
    assert form.effective("steps", {"mode": "good", "steps": 9}) == 9
    assert form.effective("width", {"mode": "good"}) == 3
    assert form.effective("height", {}) is None


def test_joined_forms_check_both() -> None:
    def extra(size: Annotated[int, Field(ge=16)] = 64) -> None: ...

    joined = FORM + form_of(extra)
    assert joined.check({"photo": 1})["size"] == 64
    with pytest.raises(InputError, match="Size: 3 is outside 16 to any number"):
        joined.check({"photo": 1, "size": 3})
    with pytest.raises(InputError, match="Steps: 99"):
        joined.check({"photo": 1, "steps": 99})


def test_other_defaults_leave_the_first_form_alone() -> None:
    assert FORM.with_defaults(steps=9).check({"photo": 1})["steps"] == 9
    assert FORM.check({"photo": 1})["steps"] == 5


def test_a_type_no_form_can_ask_for_is_an_error_of_the_programmer() -> None:
    def strange(anything: dict[str, int] | list[dict[str, int]]) -> None: ...

    with pytest.raises(TypeError, match="anything"):
        form_of(strange)
