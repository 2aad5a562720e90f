"""The endpoints, through Gradio's own client."""

import gc
import json
import logging
import random
import re
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import psutil
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from space.controls import choice_word
from tests.space.conftest import PAINTING, PHOTO, huge_png
from zoo.methods import METHODS
from zoo.pipeline import form_for
from zoo.runtime import Runtime

RUNS = 200
GROWTH = 150 * 2**20  # bytes; one leaked picture a run would be several times that


@pytest.fixture(scope="session")
def client(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("client")
    made = Client(address, verbose=False, download_files=folder)
    yield made
    made.close()


def test_every_method_has_an_endpoint_with_the_names_of_its_form(client: Client) -> None:
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    assert set(endpoints) == {
        *(f"/{name}" for name in METHODS),
        "/compare",
        "/list_checkpoints",
        "/download_checkpoint",
    }
    for name, method in METHODS.items():
        names = [one["parameter_name"] for one in endpoints[f"/{name}"]["parameters"]]
        assert names == [*form_for(method).by_name, "checkpoint"]


def test_the_documentation_has_types_bounds_and_words(client: Client) -> None:
    endpoint = client.view_api(return_format="dict")["named_endpoints"]["/gatys"]
    told = {one["parameter_name"]: one for one in endpoint["parameters"]}
    assert told["steps"]["type"]["type"] == "integer"
    assert (told["steps"]["type"]["minimum"], told["steps"]["type"]["maximum"]) == (10, 2000)
    assert told["colors"]["type"]["enum"] == ["style", "match", "luminance"]
    assert told["content"]["python_type"]["type"] == "filepath"
    assert not told["content"]["parameter_has_default"]
    assert "Args:" not in endpoint["description"]
    assert METHODS["gatys"].summary in endpoint["description"]


def test_checkpoints_are_listed(client: Client) -> None:
    listed = client.predict(api_name="/list_checkpoints")
    assert {"checkpoint": "zoo/gatys", "method": "gatys", "default": True} in listed
    assert {one["method"] for one in listed} <= set(METHODS)


def test_a_run_gives_files_and_their_record(client: Client) -> None:
    job = client.submit(
        content=handle_file(PHOTO),
        style=handle_file(PAINTING),
        steps=12,
        size=96,
        seed=7,
        api_name="/gatys",
    )
    files, record = job.result()
    assert len(files) == 1
    assert re.fullmatch(r"photo_gatys_\d{8}-\d{6}\.png", Path(files[0]).name)
    with Image.open(files[0]) as picture:
        assert picture.size == (record["width"], record["height"]) == (96, 64)
        assert json.loads(picture.info["parameters"]) == record
    assert record["settings"]["seed"] == 7
    # It reports on the way: only the last answer has files.
    *way, _ = job.outputs()
    assert all(not files for files, _ in way)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"steps": 5}, "Steps: 5 is outside 10 to 2000."),
        ({"steps": "many"}, "Steps: “many” is not a whole number."),
        ({"colors": "loud"}, "Colours: “loud” is not one of style, match, luminance."),
        ({"style_weights": [1, 2, 3]}, "there are 3 shares for 1 pictures"),
        ({"checkpoint": "zoo/none"}, "There is no checkpoint “zoo/none”."),
        ({"content": None}, "Photo: add a picture."),
        ({"content": "photo.jpg"}, "Photo: give a file."),
        ({"content": {"path": "/etc/hostname"}}, "Photo: give a file."),
        ({"more_styles": "all"}, "More style pictures: give a list of files."),
    ],
)
def test_wrong_values_are_explained(client: Client, wrong: dict[str, Any], sentence: str) -> None:
    given = {"content": handle_file(PHOTO), "style": handle_file(PAINTING), "size": 64} | wrong
    with pytest.raises(AppError) as caught:
        client.predict(**given, api_name="/gatys")
    assert sentence in str(caught.value)


def test_messages_follow_the_callers_language(address: str) -> None:
    chinese = Client(address, verbose=False, headers={"Accept-Language": "zh-TW"})
    with pytest.raises(AppError) as caught:
        chinese.predict(handle_file(PHOTO), handle_file(PAINTING), steps=1, api_name="/gatys")
    assert "步數：1 不在 10 到 2000 之間。" in str(caught.value)
    chinese.close()


def test_files_of_the_machine_stay_out_of_reach(client: Client) -> None:
    path = {"path": "/etc/hostname", "meta": {"_type": "gradio.FileData"}}
    with pytest.raises(AppError):
        client.predict(content=path, style=handle_file(PAINTING), api_name="/gatys")


# ---- two hundred odd files


def noise(size: tuple[int, int], mode: str = "RGB") -> Image.Image:
    return Image.effect_noise(size, 80).convert(mode)


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    stream = BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def archive() -> bytes:
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("a.txt", "a")
    return stream.getvalue()


def cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(1, len(data))]


def shuffled(data: bytes, rng: random.Random) -> bytes:
    """A file whose middle was overwritten."""
    damaged = bytearray(data)
    for _ in range(40):
        damaged[rng.randrange(20, len(damaged))] = rng.randrange(256)
    return bytes(damaged)


Maker = Callable[[random.Random], bytes]
ODD: dict[str, Maker] = {
    "empty.jpg": lambda _: b"",
    "text.png": lambda rng: bytes(rng.choices(b"abc \n", k=300)),
    "random.jpg": lambda rng: rng.randbytes(2000),
    "page.html": lambda _: b"<html><script>alert(1)</script></html>",
    "drawing.svg": lambda _: b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
    "archive.jpg": lambda _: archive(),
    "paper.pdf": lambda _: b"%PDF-1.7\n%%EOF",
    "cut.jpg": lambda rng: cut(encoded(noise((200, 150)), "JPEG"), rng),
    "cut.png": lambda rng: cut(encoded(noise((90, 60)), "PNG"), rng),
    "cut.webp": lambda rng: cut(encoded(noise((90, 60)), "WEBP"), rng),
    "cut.gif": lambda rng: cut(encoded(noise((90, 60)), "GIF"), rng),
    "cut.tiff": lambda rng: cut(encoded(noise((90, 60)), "TIFF"), rng),
    "bitten.jpg": lambda rng: shuffled(encoded(noise((120, 90)), "JPEG"), rng),
    "bitten.png": lambda rng: shuffled(encoded(noise((120, 90)), "PNG"), rng),
    "bomb.png": lambda _: huge_png(30000, 20000),
    "dot.png": lambda _: encoded(noise((1, 1)), "PNG"),
    "thin.png": lambda _: encoded(noise((700, 20)), "PNG"),
    "smallest.png": lambda _: encoded(noise((16, 16)), "PNG"),
    "thinnest.png": lambda _: encoded(noise((320, 16)), "PNG"),
    "clear.png": lambda _: encoded(noise((60, 40), "RGBA"), "PNG"),
    "palette.png": lambda _: encoded(noise((60, 40), "P"), "PNG", transparency=3),
    "grey16.png": lambda _: encoded(noise((60, 40), "I;16"), "PNG"),
    "bits.png": lambda _: encoded(noise((60, 40), "1"), "PNG"),
    "half.png": lambda _: encoded(noise((60, 40), "LA"), "PNG"),
    "print.jpg": lambda _: encoded(noise((60, 40), "CMYK"), "JPEG"),
    "float.tiff": lambda _: encoded(noise((60, 40), "F"), "TIFF"),
    "profile.jpg": lambda rng: encoded(noise((60, 40)), "JPEG", icc_profile=rng.randbytes(200)),
    "moving.gif": lambda _: encoded(
        noise((40, 40)), "GIF", save_all=True, append_images=[noise((40, 40))] * 3
    ),
    "old.bmp": lambda _: encoded(noise((33, 47)), "BMP"),
    "new.avif": lambda _: encoded(noise((48, 48)), "AVIF"),
    "{brace} <b>&amp; 照片.jpg": lambda _: encoded(noise((50, 40)), "JPEG"),
}
SETTINGS: dict[str, list[Any]] = {
    "steps": [10, 10, 10, 10, 11, 0, -3, 10**9, 10.5, "ten", None, True, [10]],
    "size": [32, 48, 64, 33, 0, -1, 10**6, "64", "big"],
    "style_weight": [1000, 1, 1e6, 0, -1, 1e300, "1e3", "heavy"],
    "colors": ["style", "match", "luminance", "style ", 3, None],
    "seed": [0, 7, 2**31 - 1, 2**31, -1, 0.5],
    "bits": ["8", "16", "12", 8],
    "start": ["photo", "noise", ""],
    "optimizer": ["lbfgs", "adam", "sgd"],
    "style_weights": [[], [1], [0], [1, 2], ["a"], "1"],
    "style_scale": [1.0, 0.25, 2, 9],
    "coarse_to_fine": [True, False, "perhaps"],
    "checkpoint": ["zoo/gatys", "zoo/gatys", "../../etc", ""],
}


def odd_run(rng: random.Random, folder: Path) -> dict[str, Any]:
    """The arguments of one run: at least one odd picture, now and then an odd setting."""

    def picture() -> Any:
        name = rng.choice(list(ODD))
        path = folder / name
        path.write_bytes(ODD[name](rng))
        return handle_file(path)

    # Small, for a setting may ask for the size of the photo.
    photo, painting = folder / "photo.jpg", folder / "painting.jpg"
    given: dict[str, Any] = {"steps": 10, "size": rng.choice([32, 48])}
    given["content"], given["style"] = rng.choice(
        [
            (picture(), handle_file(painting)),
            (handle_file(photo), picture()),
            (picture(), picture()),
            (picture(), picture()),
        ]
    )
    for name in rng.sample(list(SETTINGS), rng.choice([0, 0, 1, 2])):
        given[name] = rng.choice(SETTINGS[name])
    if rng.random() < 0.1:
        given["more_styles"] = [picture(), picture()]
    return given


def held() -> int:
    gc.collect()
    return int(psutil.Process().memory_info().rss)


def test_two_hundred_odd_runs_end_in_a_result_or_a_sentence(
    client: Client,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    rng = random.Random(20)
    caplog.set_level(logging.WARNING)
    results = refusals = before = 0
    for path in (PHOTO, PAINTING):
        name = "photo.jpg" if path is PHOTO else "painting.jpg"
        with Image.open(path) as picture:
            picture.resize((72, 48)).save(tmp_path / name)
    for number in range(RUNS):
        if number == 40:  # by then every code path has been warm once
            before = held()
        given = odd_run(rng, tmp_path)
        try:
            files, record = client.predict(**given, api_name="/gatys")
        except AppError as error:
            sentence = str(error)
            refusals += 1
            assert sentence.endswith((".", "。")), (given, sentence)
            assert "reference" not in sentence, (given, sentence)
            assert str(tmp_path) not in sentence
            assert not re.search(r"Traceback|Error\(|/tmp/", sentence), (given, sentence)
        else:
            results += 1
            with Image.open(files[0]) as made:
                made.load()
                assert made.size == (record["width"], record["height"])
    growth = held() - before
    printed = capfd.readouterr()
    assert "Traceback" not in printed.out + printed.err + caplog.text
    assert results >= RUNS // 8
    assert refusals >= RUNS // 3
    assert growth < GROWTH, f"{growth / 2**20:.0f} MiB more than before"


def test_the_turn_is_free_afterwards(runtime: Runtime) -> None:
    assert runtime.turn.acquire(timeout=10)
    runtime.turn.release()


def test_choices_have_words() -> None:
    form = form_for(METHODS["gatys"])
    assert choice_word(form.by_name["colors"], "match") == "The photo's, matched"
