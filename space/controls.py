"""One field of a form, one entry on the page."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from space import parts
from space.components import Dropdown, Number, Radio, Slider
from space.pictures import check_upload, offered, picture_box, preset
from space.words import t
from zoo.card import thumbnail_name
from zoo.form import Field

RADIO_UP_TO = 4  # more choices than this go into a dropdown
SLIDER_UP_TO = 10_000  # a wider range of whole numbers is typed

# Events that only rearrange the page: not queued, not in the API, nothing spins.
GLUE: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
# The same for events that may bring up a message: Gradio sends those through its queue alone.
TELLING: dict[str, Any] = GLUE | {"queue": True}


def as_is(value: Any) -> Any:
    """What the component holds is what the form takes."""
    return value


@dataclass(frozen=True)
class Entry:
    """A field on the page.

    Args:
        field: What it asks for.
        components: One, or two where a picture can also be picked.
        read: Component values to the field's value.
        show: The field's value to component values.
    """

    field: Field
    components: tuple[Any, ...]
    read: Callable[..., Any] = as_is
    show: Callable[[Any], tuple[Any, ...]] = dataclasses.field(default=lambda value: (value,))

    @property
    def shareable(self) -> bool:
        """Whether its first component's value may stand in a link: never a visitor's picture."""
        if self.field.over:
            return False
        return not self.field.is_picture or len(self.components) == 2


def entry(item: Field, prefix: str, thumbnails: Mapping[str, str] | None = None) -> Entry:
    """Lay out the control for ``item`` here.

    Args:
        item: What it asks for.
        prefix: The id of its element starts with it.
        thumbnails: Addresses of a checkpoint's small pictures, by name.
    """
    elem_id = f"{prefix}-{item.name}"
    words: dict[str, Any] = {"label": t(item.label), "info": t(item.description) or None}
    words["elem_id"] = elem_id
    match item.kind:
        case "picture":
            return picture(item, elem_id)
        case "pictures":
            files = gr.File(
                label=t(item.label),
                file_count="multiple",
                file_types=["image"],
                elem_id=elem_id,
                height=140,
            )
            return Entry(item, (files,), lambda paths: paths or [], lambda value: (gr.skip(),))
        case "bool":
            return Entry(item, (gr.Checkbox(value=item.default, **words),))
        case "text":
            return Entry(item, (gr.Textbox(value=item.default, **words),))
        case "numbers":
            box = gr.Textbox(value=written(item.default), placeholder="0.7, 0.3", **words)
            return Entry(item, (box,), parsed, lambda value: (written(value),))
        case "choice":
            choices = [(t_choice(item, choice), choice) for choice in item.choices]
            kind = Radio if len(choices) <= RADIO_UP_TO else Dropdown
            return Entry(item, (kind(choices, value=item.default, **words),))
    if item.control.looks and item.control.offers:
        options = look_options(item, thumbnails or {})
        pick = parts.picker(item.label, options, str(item.default), elem_id)
        return Entry(item, (pick,), show=lambda value: (str(value),))
    if item.name == "seed" and not item.control.more:
        return Entry(item, (seed(item, words),))
    return Entry(item, (number(item, words),))


def look_options(item: Field, thumbnails: Mapping[str, str]) -> list[dict[str, str]]:
    """Options of a picker for what ``item``, a field of looks, offers; ids are values as text."""
    return [
        {
            "id": str(value),
            "name": name,
            "src": thumbnails.get(thumbnail_name(item.name, value), ""),
        }
        for name, value in item.control.offers
    ]


def number(item: Field, words: dict[str, Any]) -> Any:
    """The control for an int or a float."""
    low, high, control = item.low, item.high, item.control
    if control.offers and not control.looks:
        # A custom value is one that a link or a file brought along.
        choices = [(t(word), value) for word, value in control.offers]
        return Dropdown(choices, value=item.default, allow_custom_value=True, **words)
    if control.log and low is not None and high is not None:
        low = low if low > 0 else high * 1e-6
        elem_id = words["elem_id"]
        return parts.log_slider(item.label, item.description, low, high, item.default, elem_id)
    whole = item.kind == "int"
    if low is not None and high is not None and high - low <= SLIDER_UP_TO:
        step = control.step or (1 if whole else round((high - low) / 100, 6))
        return Slider(low, high, value=item.default, step=step, **words)
    return Number(value=item.default, precision=0 if whole else None, **words)


def seed(item: Field, words: dict[str, Any]) -> Any:
    """A number, and what draws another one: the form stays exact, and so do records."""
    with gr.Row(elem_classes="sz-seed"):
        box = number(item, words)
        new = gr.Button(
            t("New seed"), size="sm", scale=0, min_width=96, elem_id=f"{words['elem_id']}-new"
        )
    new.click(None, None, box, js="() => Math.floor(Math.random() * 2 ** 31)", **GLUE)
    return box


def picture(item: Field, elem_id: str) -> Entry:
    """A box for one picture; with examples to pick from where there are some for this field."""
    photo = item.name == "content"
    examples = offered(item)
    if not examples:
        height = 300 if photo else 180
        box = picture_box(item.label, elem_id, photo=photo, height=height)
        if not photo:  # the tab has more to do with a photo
            box.upload(check_upload, box, box, preprocess=False, **TELLING)
        return Entry(item, (box,), show=lambda value: (gr.skip(),))
    options = [{"id": p.id, "name": p.name, "src": p.thumbnail} for p in examples]
    if not item.required:
        options.insert(0, {"id": "", "name": "None", "src": ""})
    pick = parts.picker(item.label, options, options[0]["id"], f"{elem_id}-pick")
    box = picture_box("Or your own", elem_id, photo=False, height=150)
    box.upload(check_upload, box, box, preprocess=False, **TELLING)
    box.upload(None, None, pick, js="() => null", **GLUE)
    # A visitor's pick only: an upload unpicks, and that must not throw the upload away.
    pick.input(None, None, box, js="() => null", **GLUE)

    def read(picked: str | None, own: str | None) -> str | None:
        example = preset(item.name, picked)
        return own or (str(example.path) if example else None)

    def shown(value: Any) -> tuple[Any, ...]:
        known = value == "" or preset(item.name, value)
        return (value, None) if known else (gr.skip(), gr.skip())

    return Entry(item, (pick, box), read, shown)


def t_choice(item: Field, choice: str) -> Any:
    """What a choice is called."""
    return t(choice_word(item, choice))


def choice_word(item: Field, choice: str) -> str:
    """What a choice is called, in English."""
    return (item.control.words or {}).get(choice, choice.replace("_", " ").capitalize())


def parsed(text: Any) -> list[Any]:
    """Numbers between commas or spaces; what is no number stays text, for the form to refuse."""
    found: list[Any] = []
    for part in str(text or "").replace(",", " ").replace("，", " ").split():
        try:
            found.append(float(part))
        except ValueError:
            found.append(part)
    return found


def written(numbers: Any) -> str:
    """The opposite of :func:`parsed`."""
    return ", ".join(f"{number:g}" for number in numbers or [])
