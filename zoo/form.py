"""Forms: the signature of a callable read as a list of typed, bounded fields.

A method's ``forward``, the options every picture shares and a training recipe are all described
by one :func:`form_of` call, so the tab, the command line, the API and their validation can never
disagree. Bounds and descriptions are pydantic's (``Annotated[float, Field(ge=0, le=1)]``) and
pydantic does the validation; this module only adds what a person needs to fill a field in.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic.fields import FieldInfo

from zoo.errors import InputError

Kind = Literal["picture", "pictures", "bool", "int", "float", "choice", "text", "numbers"]


@dataclass(frozen=True, kw_only=True)
class Control:
    """How a field is offered, where its type and bounds do not say.

    Args:
        step: Granularity of a slider.
        log: The slider moves in powers of ten.
        more: The field stands under "More settings".
        offers: Values to pick from, with their words; other values inside the bounds are valid.
        words: What each choice is called, where its value is not a word for people.
        looks: Its values look different and are picked by thumbnails.
        only: Values that other fields must have; with others this one has no effect.
    """

    step: float | None = None
    log: bool = False
    more: bool = False
    offers: tuple[tuple[str, Any], ...] = ()
    words: Mapping[str, str] | None = None
    looks: bool = False
    only: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Picture:
    """Marks a parameter as a picture: the pipeline turns a file into the tensor it expects.

    Args:
        over: Name of the picture whose regions this one marks. Then it is a label map: each colour
            is a label, and the method gets ``(1, 1, H, W)`` whole numbers that mean the same in
            all label maps of a call. A call has all label maps of a form or none.
        photo: Whether a photo is meant where another method takes a painting.
    """

    over: str = ""
    photo: bool = False


@dataclass(frozen=True, kw_only=True)
class Field:
    """One input of a callable, free of any toolkit."""

    name: str
    kind: Kind
    default: Any = None
    required: bool = False
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    label: str = ""
    description: str = ""
    control: Control = Control()
    over: str = ""  # a label map for the picture of that name
    photo: bool = False  # a photo, not a painting

    @property
    def is_picture(self) -> bool:
        """Whether the field takes one picture or several."""
        return self.kind in ("picture", "pictures")


class Form:
    """The fields of a callable, in order, with the pydantic model that validates them."""

    def __init__(self, fields: tuple[Field, ...], model: type[BaseModel]) -> None:
        self.fields = fields
        self.model = model

    def __iter__(self) -> Iterator[Field]:
        return iter(self.fields)

    def __add__(self, other: "Form") -> "Form":
        """Join two forms whose names do not overlap; the validation of both applies."""
        model = create_model(f"{self.model.__name__}With", __base__=(self.model, other.model))
        return Form(self.fields + other.fields, model)

    @cached_property
    def by_name(self) -> dict[str, Field]:
        """The fields by their name."""
        return {field.name: field for field in self.fields}

    def with_defaults(self, **defaults: Any) -> "Form":
        """The same form, offering other values where nothing was chosen."""
        changed = tuple(
            replace(f, default=defaults[f.name]) if f.name in defaults else f for f in self
        )
        return Form(changed, self.model)

    def with_offers(self, offers: Mapping[str, Sequence[tuple[str, Any]]]) -> "Form":
        """The same form, offering these values with their words, by the names of fields."""
        changed = []
        for one in self:
            if words := tuple(offers.get(one.name, ())):
                # The words of a choice, for its values are fixed; else the values to pick from.
                named: dict[str, Any] = {"offers": words}
                if one.kind == "choice":
                    named = {"words": {value: word for word, value in words}}
                one = replace(one, control=replace(one.control, **named))
            changed.append(one)
        return Form(tuple(changed), self.model)

    def effective(self, name: str, values: Mapping[str, Any]) -> Any:
        """The value of a field, its default where it has none; None where it has no effect.

        Args:
            name: Of the field, which need not be there.
            values: Of fields, by name.
        """
        if name not in self.by_name:
            return None
        only = self.by_name[name].control.only or {}
        given = {one.name: one.default for one in self} | dict(values)
        ruled_out = any(given[other] != wanted for other, wanted in only.items())
        return None if ruled_out else given[name]

    def check(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return every field's value, defaults filled in.

        Raises InputError that names the field and the remedy; an unknown name is an error too.
        """
        given = {f.name: f.default for f in self if not f.required} | {
            name: value for name, value in values.items() if value is not None
        }
        for field in self:
            if field.is_picture and field.required and given.get(field.name) in (None, []):
                raise InputError("{label}: add a picture.", label=field.label)
        maps = [field for field in self if field.over]
        present = [field for field in maps if given[field.name] is not None]
        for field in maps:
            if present and field not in present:
                raise InputError(
                    "{label}: paint or upload them too, or take away {other}.",
                    label=field.label,
                    other=present[0].label,
                )
        try:
            checked = self.model.model_validate(given)
        except ValidationError as error:
            raise self._explain(error) from None
        return {name: getattr(checked, name) for name in self.by_name}

    def _explain(self, error: ValidationError) -> InputError:
        first = error.errors()[0]
        name, value = str(first["loc"][0]), first["input"]
        if name not in self.by_name:
            known = ", ".join(self.by_name)
            return InputError("There is no setting “{name}”; use {known}.", name=name, known=known)
        field = self.by_name[name]
        words: dict[str, Any] = {"label": field.label, "value": str(value)[:80]}
        match first["type"]:
            case "missing":
                return InputError("{label}: a value is needed.", **words)
            case "greater_than_equal" | "less_than_equal" | "greater_than" | "less_than":
                words |= {"low": _number(field.low), "high": _number(field.high)}
                return InputError("{label}: {value} is outside {low} to {high}.", **words)
            case "literal_error":
                words["choices"] = ", ".join(field.choices)
                return InputError("{label}: “{value}” is not one of {choices}.", **words)
            case "int_from_float" | "int_parsing" | "int_type":
                return InputError("{label}: “{value}” is not a whole number.", **words)
            case "float_parsing" | "float_type" | "finite_number":
                return InputError("{label}: “{value}” is not a number.", **words)
            case "bool_parsing" | "bool_type":
                return InputError("{label}: “{value}” is neither yes nor no.", **words)
        words["reason"] = first["msg"]
        return InputError("{label}: “{value}” does not fit: {reason}.", **words)


def form_of(function: Callable[..., Any]) -> Form:
    """Read the fields of ``function`` (or of a dataclass) from its annotated parameters.

    A parameter annotated with :class:`Picture` is a picture, or several where its type is a list;
    a :class:`Control` in the annotation says how to offer it. Raises TypeError for a parameter
    whose type no form can ask for, so that a new method fails in its first test.
    """
    hinted = function.__init__ if inspect.isclass(function) else function
    hints = get_type_hints(hinted, include_extras=True)
    fields, columns = [], {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name == "self":
            continue
        field, column = _field(parameter, hints[name])
        fields.append(field)
        columns[name] = column
    config = ConfigDict(extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=True)
    title = "".join(part.capitalize() for part in function.__qualname__.split("."))
    model = create_model(title, __config__=config, **columns)
    return Form(tuple(fields), model)


def _field(parameter: inspect.Parameter, hint: Any) -> tuple[Field, Any]:
    """One parameter as our field and as the ``(type, FieldInfo)`` pair pydantic asks for."""
    kind_hint, extras = _unwrap(hint)
    info = next((e for e in extras if isinstance(e, FieldInfo)), FieldInfo())
    several = get_origin(kind_hint) is list
    choices: tuple[str, ...] = ()
    column: Any = hint
    kind: Kind
    picture = next((e for e in extras if isinstance(e, Picture)), None)
    if picture:
        kind, column = ("pictures", list[Any]) if several else ("picture", Any)
    elif get_origin(kind_hint) is Literal:
        kind, choices = "choice", tuple(str(choice) for choice in get_args(kind_hint))
    elif kind_hint in (bool, int, float):
        kind = kind_hint.__name__
    elif several and set(get_args(kind_hint)) <= {float, int}:
        kind = "numbers"
    elif isinstance(kind_hint, type):
        kind = "text"
    else:
        raise TypeError(f"{parameter.name}: a form cannot ask for {hint}")
    required = parameter.default is parameter.empty
    default = None if required else parameter.default
    if kind == "picture" and not required:
        column = Any | None
    field = Field(
        name=parameter.name,
        kind=kind,
        default=default,
        required=required,
        low=_bound(info, "ge", "gt"),
        high=_bound(info, "le", "lt"),
        choices=choices,
        label=info.title or parameter.name.replace("_", " ").capitalize(),
        description=info.description or "",
        control=next((e for e in extras if isinstance(e, Control)), Control()),
        over=picture.over if picture else "",
        photo=picture.photo if picture else False,
    )
    return field, (column, ... if required else default)


def _unwrap(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """Split ``Annotated[X, …]``, also in ``list[…]`` and ``… | None``, into X and the extras."""
    if get_origin(hint) in (Union, UnionType):
        hint = next(option for option in get_args(hint) if option is not NoneType)
    if get_origin(hint) is Annotated:
        inner, *extras = get_args(hint)
        plain, deeper = _unwrap(inner)
        return plain, (*extras, *deeper)
    if get_origin(hint) is list:
        (item,) = get_args(hint)
        plain, extras_of_item = _unwrap(item)
        return list[plain], extras_of_item  # type: ignore[valid-type]
    return hint, ()


def _bound(info: FieldInfo, *names: str) -> float | None:
    found = (getattr(m, n) for m in info.metadata for n in names if hasattr(m, n))
    return next(found, None)


def _number(value: float | None) -> str:
    return "any number" if value is None else f"{value:g}" if abs(value) < 1e6 else f"{value:.0f}"
