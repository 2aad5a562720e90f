"""Pictures in, pictures out: the only door the site, the command line and Python users need."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, Literal

import torch
from PIL import Image
from pydantic import Field
from torch import Tensor

from zoo import color, images, regions
from zoo.codes import alone
from zoo.errors import DeviceError
from zoo.form import Control, Form, form_of
from zoo.images import Notice
from zoo.method import Method, Step

LARGEST = 2048
VERSION = "0.1.0"


def photo_options(
    size: Annotated[
        int,
        Field(
            ge=0,
            le=LARGEST,
            description="Longer side of the result in pixels; 0 keeps the photo's, up to "
            f"{LARGEST}.",
        ),
        Control(
            offers=(
                ("256", 256),
                ("512", 512),
                ("768", 768),
                ("1024", 1024),
                ("1536", 1536),
                ("Original", 0),
            )
        ),
    ] = 512,
    colors: Annotated[
        color.Colors,
        Field(title="Colours", description="Whose colours the result has."),
        Control(
            words={
                "style": "The style's",
                "match": "The photo's, matched",
                "luminance": "The photo's, exactly",
            }
        ),
    ] = "style",
    bits: Annotated[
        Literal["8", "16"],
        Field(title="Bits a channel", description="16 avoids banding in smooth areas."),
        Control(more=True),
    ] = "8",
) -> None:
    """What every method that repaints a photo offers."""


def style_options(
    style_scale: Annotated[
        float,
        Field(
            ge=0.25,
            le=2,
            title="Style scale",
            description="Size of the style picture relative to the result: larger strokes above 1.",
        ),
        Control(step=0.05, more=True),
    ] = 1.0,
) -> None:
    """What every method that takes a style picture offers."""


_forms: dict[type[Method], Form] = {}


def form_for(method: type[Method]) -> Form:
    """The whole form of a method: its own fields, then those that its pictures bring along."""
    # To read signatures takes milliseconds, and a camera asks for all methods at every frame.
    if method not in _forms:
        _forms[method] = _read_form(method)
    return _forms[method]


def _read_form(method: type[Method]) -> Form:
    form = form_of(method.forward)
    if "content" in form.by_name:
        form += form_of(photo_options)
    if any(f.is_picture and f.name != "content" for f in form):
        form += form_of(style_options)
    return form


@dataclass(frozen=True, kw_only=True)
class Record:
    """How a result was made; it goes into the file and under the picture."""

    method: str
    checkpoint: str
    revision: str
    settings: Mapping[str, Any]
    width: int
    height: int
    seconds: float
    device: str
    precision: str = "fp32"
    version: str = VERSION

    def json(self) -> str:
        """As one line of JSON; no paths, no file names."""
        return json.dumps(asdict(self), ensure_ascii=False)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """One look at the work; the last one has a ``record`` and is the result.

    ``tensors`` is ``(B, 3, H, W)`` in [0, 1]; ask for :meth:`pictures` only when they are shown,
    for that is where a GPU has to wait.
    """

    number: int
    total: int
    tensors: Tensor
    content: Tensor | None = None
    notices: tuple[Notice, ...] = ()
    record: Record | None = None

    def pictures(self) -> list[Image.Image]:
        """The batch as 8-bit pictures."""
        return images.to_pil(self.tensors)

    def before(self) -> Image.Image | None:
        """The photo at the size of the result, or None where the method takes no photo."""
        return None if self.content is None else images.to_pil(self.content)[0]

    def png(self, index: int = 0) -> bytes:
        """Picture ``index`` as PNG with its record inside, in the bit depth that was asked for.

        The record of one of several that were drawn by seed is that of this one alone.
        """
        bits, text = 8, {}
        if record := self.record:
            record = replace(record, settings=alone(record.settings, index) or record.settings)
            bits = int(record.settings.get("bits", 8))
            text = {"Software": f"Style Zoo {record.version}", "parameters": record.json()}
        return images.to_png(self.tensors[index], bits, text)


class Pipeline:
    """One checkpoint on one device.

    Args:
        method: Loaded and frozen.
        device: Where it runs.
        checkpoint: ``repo_id`` for the record.
        revision: Commit for the record.
    """

    def __init__(
        self,
        method: Method,
        device: torch.device | str = "cpu",
        *,
        checkpoint: str = "",
        revision: str = "",
    ) -> None:
        self.method = method.to(device).eval()
        self.device = torch.device(device)
        if method.bf16:
            method.precision = fast_precision(self.device)
        self.checkpoint = checkpoint or method.checkpoint
        self.revision = revision
        self.form = form_for(type(method))
        self.own = form_of(type(method).forward).by_name

    def __call__(self, **inputs: Any) -> list[Image.Image]:
        """Run to the end and return the pictures; takes what :meth:`stream` takes."""
        *_, last = self.stream(**inputs)
        return last.pictures()

    @torch.no_grad()  # as a decorator: a `with` block would leak across the yields
    def stream(self, **inputs: Any) -> Iterator[Progress]:
        """Run and yield the work as it improves; closing the iterator stops it.

        Pictures are given as paths, bytes, binary files or Pillow images, all else as the form
        says. Where a GPU runs out of memory, the work is done once more at three quarters of the
        size, with a notice.

        Raises:
            InputError: A picture or a setting is missing or cannot be used.
            DeviceError: There is not enough memory for this size.
        """
        values = self.form.check(inputs)
        opened, notices = open_pictures(self.form, values)
        maps, told = regions.read(self.form, opened)
        notices = (*notices, *told)
        pictures = {name: group for name, group in opened.items() if not self.own[name].over}
        try:
            yield from self._run(values, pictures, maps, notices)
            return
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
        if self.device.type == "cuda" and "content" in opened:
            torch.cuda.empty_cache()
            longer = max(opened["content"][0].size)
            less = max(256, int(0.75 * min(longer, values["size"] or longer)))
            smaller = Notice(
                "There was not enough memory for this size, so we worked at {size} pixels.",
                {"size": less},
            )
            try:
                notices = (*notices, smaller)
                yield from self._run(values | {"size": less}, pictures, maps, notices)
                return
            except (torch.OutOfMemoryError, RuntimeError) as error:
                if not out_of_memory(error):
                    raise
        raise DeviceError(
            "The picture is too large for the memory left on this machine. Choose a smaller size "
            "and try again."
        )

    @torch.no_grad()
    def _run(
        self,
        values: dict[str, Any],
        opened: Mapping[str, list[Image.Image]],
        maps: Mapping[str, Tensor],
        notices: tuple[Notice, ...],
    ) -> Iterator[Progress]:
        started = time.perf_counter()
        tensors, shrunk = self._tensors(values, opened)
        notices = (*notices, *shrunk)
        mode: color.Colors = values.get("colors", "style")
        content = tensors.pop("content", [None])[0]
        styles = [style for group in tensors.values() for style in group]
        arguments = {
            name: values[name]
            for name, field in self.own.items()
            if name not in opened and not field.over
        }
        arguments |= {name: labels.to(self.device) for name, labels in maps.items()}
        if content is not None:
            seen, styles = color.before(content, styles, mode)
            arguments["content"] = padded = images.pad(seen, self.method.multiple)
            for name in maps:
                if self.own[name].over == "content" and padded.shape != seen.shape:
                    arguments[name] = regions.padded(arguments[name], seen, self.method.multiple)
        for name, group in tensors.items():
            mine, styles = styles[: len(group)], styles[len(group) :]
            arguments[name] = mine if self.form.by_name[name].kind == "pictures" else mine[0]
        settled = self.method.settled(arguments)
        result = self.method(**settled)
        last = None
        for step in [Step(result, 1, 1)] if isinstance(result, Tensor) else result:
            made = step.images
            if content is not None:
                made = made[..., : content.shape[2], : content.shape[3]]
                made = color.after(made, content, mode, bool(tensors))
            last = Progress(
                number=step.number,
                total=step.total,
                tensors=made,
                content=content,
                notices=notices,
            )
            yield last
        if last is None:
            raise RuntimeError(f"{self.method.name} made no picture")
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        record = Record(
            method=self.method.name,
            checkpoint=self.checkpoint,
            revision=self.revision,
            settings={
                f.name: settled.get(f.name, values[f.name]) for f in self.form if not f.is_picture
            },
            width=last.tensors.shape[3],
            height=last.tensors.shape[2],
            seconds=round(time.perf_counter() - started, 3),
            device=device_name(self.device),
            precision={torch.float32: "fp32", torch.bfloat16: "bf16"}[self.method.precision],
        )
        yield replace(last, record=record)

    def _tensors(
        self, values: Mapping[str, Any], opened: Mapping[str, list[Image.Image]]
    ) -> tuple[dict[str, list[Tensor]], list[Notice]]:
        """Scale the pictures and move them to the device, by field; and say what was shrunk."""
        notices = []
        size = LARGEST
        scaled = dict(opened)
        if "content" in opened:
            (photo,) = opened["content"]
            size = min(values["size"] or LARGEST, LARGEST)
            fitted = images.fit(photo, size)
            scaled["content"] = [fitted]
            if fitted is not photo:
                words = {
                    "width": photo.width,
                    "height": photo.height,
                    "new_width": fitted.width,
                    "new_height": fitted.height,
                }
                text = (
                    "Your photo is {width}×{height}. We worked at {new_width}×{new_height}; "
                    "choose a larger size for a larger result."
                )
                if size == LARGEST:  # there is no larger one
                    text = (
                        "Your photo is {width}×{height}. We worked at {new_width}×{new_height}, "
                        "which is as large as results get."
                    )
                notices.append(Notice(text, words))
            size = max(fitted.size)
        for name in opened.keys() - {"content"}:
            longer = max(64, round(size * values["style_scale"]))
            scaled[name] = [images.fit(picture, longer) for picture in opened[name]]
        return {
            name: [images.to_tensor(picture).to(self.device) for picture in scaled[name]]
            for name in opened
        }, notices


def open_pictures(
    form: Form, values: Mapping[str, Any]
) -> tuple[dict[str, list[Image.Image]], tuple[Notice, ...]]:
    """Open the pictures among ``values``, by field; an optional one left out has no entry."""
    opened: dict[str, list[Image.Image]] = {}
    notices: list[Notice] = []
    for field in form:
        given = values[field.name]
        if not field.is_picture or given is None:
            continue
        opened[field.name] = []
        for source in given if field.kind == "pictures" else [given]:
            picture = images.open_picture(source, hard=bool(field.over))
            opened[field.name].append(picture.image)
            notices.extend(picture.notices)
    return opened, tuple(notices)


def out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says that a device or the machine has no memory left."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return "not enough memory" in str(error)  # the words of torch's CPU allocator


def fast_precision(device: torch.device) -> torch.dtype:
    """bfloat16 where the device multiplies it faster than float32, else float32."""
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if fast else torch.float32


def device_name(device: torch.device) -> str:
    """What to call a device under a picture."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()
