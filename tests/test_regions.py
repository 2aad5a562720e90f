"""Labels are read from maps as people make them: soft, noisy, compressed, of another size."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from zoo.regions import MOST, PALETTE, SAME, name_of, quantised

RED, BLUE, GREEN = (213, 94, 0), (0, 114, 178), (0, 158, 115)


def map_of(*, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """White, with a red disc over a blue half."""
    picture = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(picture)
    width, height = size
    draw.rectangle((0, 0, width // 2, height), fill=BLUE)
    draw.ellipse((width // 4, height // 4, width * 3 // 4, height * 3 // 4), fill=RED)
    return picture


def labels_of(*pictures: Image.Image) -> tuple[list[np.ndarray], np.ndarray]:
    return quantised([np.asarray(picture.convert("RGB")) for picture in pictures])


def jpeg(picture: Image.Image, quality: int) -> Image.Image:
    stream = BytesIO()
    picture.save(stream, "JPEG", quality=quality)
    return Image.open(stream)


def noisy(picture: Image.Image, deviation: float) -> Image.Image:
    noise = np.random.default_rng(0).normal(0, deviation, (*picture.size[::-1], 3))
    return Image.fromarray((np.asarray(picture) + noise).clip(0, 255).astype(np.uint8))


def soft(picture: Image.Image) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(1.5))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda p: p,
        lambda p: jpeg(p, 60),
        lambda p: jpeg(p, 25),
        lambda p: noisy(p, 8),
        soft,
        lambda p: jpeg(soft(p), 60),
        lambda p: p.resize((333, 251), Image.Resampling.BICUBIC).resize(p.size),
    ],
    ids=["clean", "jpeg 60", "jpeg 25", "noise", "soft", "soft jpeg", "resampled"],
)
def test_three_colours_are_three_regions(spoil: object) -> None:
    assert callable(spoil)
    (clean, spoilt), colors = labels_of(map_of(), spoil(map_of()))
    assert len(colors) == 3
    assert (clean != spoilt).mean() < 0.01
    # And they are the colours that were painted.
    for color in (RED, BLUE, (255, 255, 255)):
        assert np.linalg.norm(colors - color, axis=1).min() < 6


def test_no_strip_of_a_third_colour_lies_between_two() -> None:
    """Between red and blue a soft edge is near to pink, and pink is a region elsewhere."""
    picture = soft(map_of())
    ImageDraw.Draw(picture).rectangle((280, 200, 319, 239), fill=PALETTE["Pink"])
    (labels,), colors = labels_of(picture)
    assert len(colors) == 4
    pink = int(np.linalg.norm(colors - PALETTE["Pink"], axis=1).argmin())
    rows, columns = np.nonzero(labels == pink)
    assert rows.min() >= 196
    assert columns.min() >= 276


def test_equal_numbers_mean_equal_colours_in_all_maps() -> None:
    first = map_of()
    second = jpeg(map_of(size=(500, 200)), 70)
    mine, theirs = labels_of(first, second)[0]
    assert mine.shape == (240, 320)
    assert theirs.shape == (200, 500)
    assert mine[120, 160] == theirs[100, 250]
    assert mine[5, 5] == theirs[5, 5]
    assert mine[5, 315] == theirs[5, 495]
    assert len({mine[120, 160], mine[5, 5], mine[5, 315]}) == 3


def test_a_photo_given_as_a_map_has_a_bounded_number_of_labels() -> None:
    photo = Image.effect_noise((200, 150), 90).convert("RGB")
    (labels,), colors = labels_of(photo)
    assert labels.shape == (150, 200)
    assert len(colors) <= MOST
    gradient = Image.linear_gradient("L").convert("RGB")
    assert len(labels_of(gradient)[1]) <= 256 * 3**0.5 / SAME + 1


def test_brush_colours_have_names_and_cannot_be_taken_for_each_other() -> None:
    brushes = {**PALETTE, "White or unpainted": (255, 255, 255)}
    for name, color in brushes.items():
        assert name_of(np.array(color, dtype=float) + 5) == name
    assert name_of(np.array((128.0, 0.0, 255.0))) == "#8000ff"
    board = Image.new("RGB", (60 * len(brushes), 60))
    for number, color in enumerate(brushes.values()):
        board.paste(color, (60 * number, 0, 60 * number + 60, 60))
    assert len(labels_of(board)[1]) == len(brushes)
