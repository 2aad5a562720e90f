from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def paint(path: Path, seed: int, width: int = 60, height: int = 48) -> None:
    """A smooth random picture with edges, so that features and matches are not degenerate."""
    random = np.random.default_rng(seed)
    small = Image.fromarray(random.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    picture = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC)).copy()
    picture[height // 3 : height // 2, width // 4 : width // 2] = random.integers(0, 256, 3)
    Image.fromarray(picture).save(path)


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for number in range(5):
        paint(folder / f"photo{number}.png", number)
    return folder


@pytest.fixture(scope="session")
def paintings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("paintings")
    for number in range(4):
        paint(folder / f"painting{number}.png", 100 + number)
    return folder
