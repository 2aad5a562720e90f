"""The endpoints, through Gradio's own client."""

import ctypes
import gc
import json
import logging
import random
import re
import sys
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

RUNS = 260
WARM = 100  # runs after which every code path, and every thread's memory, has been warm once
GROWTH = 150 * 2**20  # bytes; one leaked picture a run would be several times that


@pytest.fixture(scope="session")
def client(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("client")
    made = Client(address, verbose=False, download_files=folder)
    yield made
    made.close()


def pixels_of(path: str) -> bytes:
    with Image.open(path) as picture:
        return picture.convert("RGB").tobytes()


def test_every_method_has_an_endpoint_with_the_names_of_its_form(client: Client) -> None:
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    assert set(endpoints) == {
        *(f"/{name}" for name in METHODS),
        "/compare",
        "/stylize_video",
        "/walk_codes",
        "/mix_codes",
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


def test_a_walk_leads_through_codes_and_seeds(client: Client) -> None:
    ours = {"content": handle_file(PHOTO), "size": 64, "checkpoint": "zoo/munit-chinese"}
    drawn, record = client.predict(
        content=ours["content"], size=64, samples=1, seed=7, api_name="/munit"
    )
    job = client.submit(codes=[7, "1 0 0 0 0 0 0 -1"], steps=2, **ours, api_name="/walk_codes")
    files, records = job.result()
    kinds = [Path(file).suffix for file in files]
    assert kinds == [".png"] * 3 + [".webp", ".gif"]
    assert pixels_of(files[0]) == pixels_of(drawn[0])
    assert len({pixels_of(file) for file in files[:3]}) == 3
    codes = [one["settings"]["code"] for one in records]
    assert codes[2] == "1 0 0 0 0 0 0 -1"
    assert (records[0]["width"], records[0]["checkpoint"]) == (64, "zoo/munit-chinese")
    *way, _ = job.outputs()
    assert all(not files for files, _ in way)
    # Each by its code alone, on the method's own endpoint.
    again, _ = client.predict(
        content=ours["content"], size=64, code=codes[1], api_name=f"/{record['method']}"
    )
    assert pixels_of(again[0]) == pixels_of(files[1])


@pytest.mark.parametrize("name", ["munit", "drit"])
def test_the_code_of_a_style_picture_is_told_and_gives_the_same_result(
    client: Client, name: str
) -> None:
    ours = {"content": handle_file(PHOTO), "size": 64, "api_name": f"/{name}"}
    (guided,), record = client.predict(style=handle_file(PAINTING), **ours)
    code = record["settings"]["code"]
    assert len(code.split()) == 8
    with Image.open(guided) as picture:
        assert json.loads(picture.info["parameters"])["settings"]["code"] == code
    (again,), _ = client.predict(code=code, **ours)
    assert pixels_of(again) == pixels_of(guided)
    _, drawn = client.predict(**ours)
    assert drawn["settings"]["code"] == ""
    with pytest.raises(AppError, match="there is a style picture as well"):
        client.predict(style=handle_file(PAINTING), code=code, **ours)


def test_a_mixture_heeds_its_weights(client: Client) -> None:
    ours = {"content": handle_file(PHOTO), "size": 64, "checkpoint": "zoo/munit-chinese"}
    stops = ["1 0 0 0 0 0 0 0", "0 1 0 0 0 0 0 0"]
    for weights, code in (([1, 0], stops[0]), ([], "0.71 0.71 0 0 0 0 0 0")):
        files, records = client.predict(codes=stops, weights=weights, **ours, api_name="/mix_codes")
        assert len(files) == 1
        assert [one["settings"]["code"] for one in records] == [code]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"codes": [1]}, "Codes: give a list of 2 to 8."),
        ({"codes": "1 2"}, "Codes: give a list of 2 to 8."),
        ({"codes": [1, "1 2 3 4 5 6 7"]}, "these are 7 numbers"),
        ({"codes": [1, "blue"]}, "“blue” is not a number"),
        ({"codes": [1, 2**40]}, "Codes: “1099511627776” is not a seed."),
        ({"weights": [1]}, "Weights: there are 1 for 2 codes."),
        ({"weights": [0, 0]}, "a weight above 0"),
        ({"weights": ["a", 1]}, "Weights"),
        ({"content": None}, "Photo: add a picture."),
        ({"content": {"path": "/etc/hostname"}}, "Photo: give a file."),
        ({"direction": "up"}, "Direction: “up” is not one of AtoB, BtoA."),
        ({"checkpoint": "zoo/gatys"}, "There is no checkpoint “zoo/gatys”."),
    ],
)
def test_codes_that_cannot_be_mixed_are_explained(
    client: Client, wrong: dict[str, Any], sentence: str
) -> None:
    given = {"codes": [1, 2], "content": handle_file(PHOTO), "size": 64} | wrong
    with pytest.raises(AppError) as caught:
        client.predict(**given, api_name="/mix_codes")
    assert sentence in str(caught.value)


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
    """Bytes in use, without those that the allocator keeps for later."""
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
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
        if number == WARM:
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
