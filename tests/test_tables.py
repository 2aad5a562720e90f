"""No figure in a document is older than the benchmark's own results."""

import pytest

from benchmarks import tables


@pytest.mark.parametrize("name", tables.TABLES)
def test_documents_say_what_was_measured(name: str) -> None:
    path, text = tables.filled(name)
    assert path.read_text() == text, "run: python -m benchmarks.tables"
