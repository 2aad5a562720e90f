"""Thumbnails to pick a style by, made by the network."""

from pathlib import Path

import torch
from PIL import Image

from training import thumbnails
from zoo import checkpoint
from zoo.card import is_thumbnail
from zoo.method import Method
from zoo.methods.adain import AdaIN, AdaINConfig
from zoo.methods.johnson import Johnson, JohnsonConfig
from zoo.methods.many_styles import ManyStyles, ManyStylesConfig
from zoo.runtime import list_shipped


def saved(method: Method, folder: Path) -> Method:
    with torch.no_grad():
        for number, part in enumerate(method.parameters()):
            part.normal_(0, 0.1, generator=torch.Generator().manual_seed(number))
    checkpoint.save(method, folder)
    return checkpoint.load(folder)


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.jpg") if path.is_file()}


def test_every_style_gets_one_that_it_painted(photos: Path, tmp_path: Path) -> None:
    three = ManyStyles(ManyStylesConfig(styles=("a", "b", "c"), width=4))
    photo = sorted(photos.iterdir())[0]
    made = thumbnails.make(saved(three, tmp_path), tmp_path, photo)
    assert made == ["thumbnail.jpg", *(f"thumbnails/painting-{n}.jpg" for n in range(3))]
    assert files(tmp_path) == set(made)
    assert all(is_thumbnail(name) for name in made)
    contents = [(tmp_path / name).read_bytes() for name in made]
    assert contents[0] == contents[1]  # the first style is what it does by itself
    assert len(set(contents)) == 3
    with Image.open(tmp_path / made[2]) as picture:
        assert picture.size == thumbnails.SIZE
    assert max(map(len, contents)) < 64 << 10

    # A checkpoint of fewer styles in its place keeps none of the others.
    two = ManyStyles(ManyStylesConfig(styles=("a", "b"), width=4))
    again = thumbnails.make(two.eval(), tmp_path, photo)
    assert set(again) == files(tmp_path) < set(made)


def test_one_style_has_one_and_a_style_picture_none(photos: Path, tmp_path: Path) -> None:
    photo = sorted(photos.iterdir())[0]
    johnson = saved(Johnson(JohnsonConfig(width=4)), tmp_path / "one")
    assert thumbnails.make(johnson, tmp_path / "one", photo) == ["thumbnail.jpg"]
    adain = saved(AdaIN(AdaINConfig(width=4)), tmp_path / "any")
    assert thumbnails.make(adain, tmp_path / "any", photo) == []


def test_all_styles_that_ship_have_thumbnails() -> None:
    for listed in list_shipped():
        if listed.method == "johnson":
            assert listed.thumbnails.keys() == {"thumbnail.jpg"}, listed.repo_id
        if listed.method == "many_styles":
            assert len(listed.thumbnails) == 1 + len(listed.config["styles"])
