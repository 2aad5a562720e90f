"""No figure in a document is older than the benchmark's own results."""

import xml.etree.ElementTree as ElementTree

import pytest

from benchmarks import tables


@pytest.mark.parametrize("name", tables.TABLES)
def test_documents_say_what_was_measured(name: str) -> None:
    # Without results the place has to be empty: nothing is told that no file can show.
    path, text = tables.filled(name)
    assert path.read_text() == text, "run: python -m benchmarks.tables"


@pytest.mark.parametrize("place", tables.PLOTS)
def test_plots_show_what_was_measured(place: str) -> None:
    path, svg = tables.drawn(place)
    assert (path.read_text() if path.exists() else None) == svg, "run: python -m benchmarks.tables"


MACHINE = {"cpu": "abacus", "cores": 1, "gpu": "loom", "torch": "2.0+x", "date": "2026-01-01"}
CELL = {
    "method": "gatys",
    "title": "Gatys",
    "settings": {"steps": 20},
    "width": 640,
    "height": 480,
}
MATRIX = {
    "device": "cpu",
    "machine": MACHINE,
    "rows": [
        CELL | {"seconds": 12.3456, "warm": False, "memory": 345_000_000},
        CELL | {"width": 1280, "height": 720, "skipped": "takes more than 60 s"},
    ],
}


def test_the_matrix_has_figures_or_reasons() -> None:
    told = tables.matrix(MATRIX)
    assert "| Gatys, 20 steps | 12.3 s * | – |" in told
    assert "| Gatys, 20 steps | 345 MB | – |" in told
    assert "- Gatys, 20 steps, 1280×720: takes more than 60 s" in told
    assert "Measured on abacus, 1 cores" in told
    assert "Measured on loom" in tables.matrix_gpu(MATRIX | {"device": "cuda"})


def test_a_table_has_the_days_of_its_rows() -> None:
    rows = [{"date": f"2026-02-0{day}"} for day in (3, 1, 2)]
    assert tables.on({"machine": MACHINE, "rows": rows}).endswith(" 2026-02-01 to 2026-02-03.")
    assert tables.on({"machine": MACHINE, "rows": rows[:1]}).endswith(", 2026-02-03.")
    assert tables.on({"machine": MACHINE}).endswith(", 2026-01-01.")


def test_a_plot_has_a_line_for_each_method() -> None:
    rows = [
        CELL | {"title": title, "width": side, "height": side, "seconds": side * slow}
        for title, slow in (("Quick & small", 0.001), ("Slow", 0.01))
        for side in (100, 1000)
    ]
    svg = ElementTree.fromstring(tables.plot({"rows": rows}, "time"))
    names = [text.text or "" for text in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert {"Quick & small, 20 steps", "Slow, 20 steps", "100×100", "1000×1000"} <= set(names)
    lines = [
        [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
        for line in svg.iter("{http://www.w3.org/2000/svg}polyline")
        if "stroke-dasharray" not in line.attrib
    ]
    quick, slow = lines
    assert [x for x, _ in quick] == [x for x, _ in slow] == [tables.LEFT, tables.RIGHT]
    assert quick[0][1] > quick[1][1] == slow[0][1] > slow[1][1]  # up is more; 1000·0.001 = 100·0.01


def test_cards_of_one_kind_share_a_table() -> None:
    def measure(name: str, value: float, untouched: float | None, better: str) -> dict[str, object]:
        return {"name": name, "value": value, "untouched": untouched, "better": better}

    rows = [
        {"checkpoint": "one", "measures": [measure("KID, AtoB", 0.3, 1.0, "lower")]},
        {"checkpoint": "two", "measures": [measure("Share |s|", 0.5, None, "higher")]},
        {"checkpoint": "three", "measures": [measure("KID, BtoA", 0.4, None, "lower")]},
        {"checkpoint": "four", "measures": [measure("Frame", 0.1, None, "")]},
    ]
    first, second = tables.cards({"rows": rows}).split("\n\n")
    assert first.splitlines()[0] == "| checkpoint | KID ↓ |"
    assert first.splitlines()[2:] == ["| one, AtoB | 0.3 (1) |", "| three, BtoA | 0.4 |"]
    assert second.splitlines()[0] == "| checkpoint | Share \\|s\\| ↑ |"


def test_claims_are_told_with_units() -> None:
    figures = [
        {"what": "a picture", "value": 0.0444, "unit": "s", "untouched": None},
        {"what": "peak", "value": 4.2e9, "unit": "bytes", "untouched": None},
        {"what": "KID", "value": 0.5, "unit": "", "untouched": 1.0},
    ]
    row = {"report": "002", "method": "johnson", "question": "a frame", "claim": "273 ms"}
    rows = [row | {"found": figures, "note": "noted"}]
    told = tables.claims({"device": "cpu", "machine": MACHINE, "rows": rows})
    assert "| 002 | Johnson | a frame | 273 ms | a picture: 44 ms; peak: 4200 MB; " in told
    assert "KID: 0.5, untouched 1 (noted) |" in told
