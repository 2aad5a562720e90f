"""Picture boxes that say what is wrong with a file, and the example pictures."""

import hashlib
import html
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder
from PIL import Image

from space.components import SafeImage
from space.results import fresh
from space.words import spoken, t, tell
from zoo.errors import InputError
from zoo.files import write_atomic
from zoo.form import Field
from zoo.images import open_picture, resize

EXAMPLES = Path(__file__).parent / "examples"
ROUTE = "pictures"  # where the site serves EXAMPLES, relative to its root
MAX_BYTES = 30 * 2**20
SENT_AT = 256  # pixels of the shorter side, at least, of a result that becomes a photo


@dataclass(frozen=True)
class Preset:
    """An example picture that a picture field offers."""

    id: str
    name: str
    folder: str

    @property
    def path(self) -> Path:
        """The file."""
        return EXAMPLES / self.folder / f"{self.id}.jpg"

    @property
    def thumbnail(self) -> str:
        """Address of the small copy, relative to the page."""
        return f"{ROUTE}/{self.folder}/thumbs/{self.id}.jpg"


PHOTOS = tuple(
    Preset(stem, name, "photos")
    for stem, name in {
        "pagoda": "Pagoda",
        "mountains": "Mountains",
        "stream": "Stream",
        "meadow": "Meadow",
        "cat": "Cat",
        "astronaut": "Astronaut",
        "coffee": "Coffee",
        "dahlia": "Dahlia",
        "rocket": "Rocket",
    }.items()
)
PAINTINGS = tuple(
    Preset(stem, name, "paintings")
    for stem, name in {
        "van-gogh-bouquet": "Van Gogh",
        "cezanne-mountain": "Cézanne",
        "redon-vase": "Redon",
        "renoir-seashore": "Renoir",
        "turner-venice": "Turner",
        "manet-garden": "Manet",
        "courbet-sea": "Courbet",
        "caillebotte-chrysanthemums": "Caillebotte",
        "puvis-shepherds": "Puvis de Chavannes",
        "hiroshige-river": "Hiroshige",
        "sakai-rivers": "Sakai Ōho",
        "zhao-landscape": "Zhao Yuan",
    }.items()
)

STYLE_PHOTOS = tuple(reversed(PHOTOS))  # the night sky first: what it does is seen at once
# Which picture fields come with examples: photos as a strip of buttons, styles as a picker.
PRESETS = {"content": PHOTOS, "style": PAINTINGS + STYLE_PHOTOS}


def preset(field: str, wanted: object) -> Preset | None:
    """The example of that id; what the browser sends is free text."""
    return next((p for p in PRESETS.get(field, ()) if p.id == wanted), None)


def offered(field: Field) -> tuple[Preset, ...]:
    """The examples in a field's picker."""
    if field.name != "style":
        return ()
    return STYLE_PHOTOS if field.photo else PAINTINGS


def kept(content: bytes, suffix: str) -> Path:
    """Put a small picture of a checkpoint where Gradio serves from; ``suffix`` is its name's."""
    folder = Path(get_upload_folder()) / "zoo"
    path = folder / f"{hashlib.sha256(content).hexdigest()}{suffix}"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(path, content)
    return path


def served(content: bytes, suffix: str) -> str:
    """The address of a small picture of a checkpoint, relative to the page."""
    return f"gradio_api/file={kept(content, suffix)}"


def sent(path: str) -> str:
    """Where another tab finds the result at ``path`` as its photo: enlarged where it is small.

    Of the 64 pixels of a painted portrait no style makes much.
    """
    with Image.open(path) as picture:
        factor = SENT_AT / min(picture.size)
        if factor <= 1:
            return path
        size = round(factor * picture.width), round(factor * picture.height)
        larger = fresh() / "photo.png"  # goes after an hour, as results do
        resize(picture.convert("RGB"), size).save(larger)
    return str(larger)


def picture_box(label: str, elem_id: str, *, photo: bool, height: int) -> SafeImage:
    """A box for one picture; for a photo also from the camera."""
    return SafeImage(
        label=t(label),
        elem_id=elem_id,
        type="filepath",
        sources=["upload", "webcam", "clipboard"] if photo else ["upload", "clipboard"],
        buttons=["fullscreen"],
        height=height,
        placeholder=t("Drop a photo here, or click to choose one") if photo else None,
    )


def at_hand(path: str) -> str:
    """A visitor's picture; raises InputError where it has been deleted meanwhile."""
    if not Path(path).is_file():
        raise InputError("The upload is no longer on this server. Choose the picture again.")
    return path


def within(path: str, name: str, most: int) -> None:
    """Refuse, with an InputError, an upload that is gone or has more than ``most`` bytes."""
    size = Path(at_hand(path)).stat().st_size
    if size > most:
        raise InputError(
            "“{name}” is {size} MB. The limit is {limit} MB. Make it smaller and try again.",
            name=name,
            size=round(size / 2**20),
            limit=most // 2**20,
        )


def refusal(payload: Any, language: str) -> str | None:
    """Why an upload cannot be used, in ``language``; None where it can."""
    name = payload.get("orig_name") or Path(payload["path"]).name
    try:
        within(payload["path"], name, MAX_BYTES)
        open_picture(payload["path"], name)
    except InputError as error:
        return tell(language, error)
    return None


def check_upload(payload: Any, request: gr.Request) -> Any:
    """Handler of a box's upload event: empties the box, with a message, where it must."""
    if payload and (reason := refusal(payload, spoken(request))):
        gr.Warning(html.escape(reason), duration=12)
        return None
    return gr.skip()
