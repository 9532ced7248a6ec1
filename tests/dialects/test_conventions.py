"""The table of where schedules start and end names a test for each row, and is today's."""

import re
from pathlib import Path

import conventions
import pytest

from jaxlr.dialects import FRAMEWORKS

TABLE = Path(__file__).parents[2] / "benchmarks" / "results" / "conventions.md"


def test_every_framework_has_a_row():
    told = " ".join(" ".join(row[:2]) for row in conventions.rows()).lower()
    assert [name for name in FRAMEWORKS if not re.search(rf"\b{name}\b", told)] == []


@pytest.mark.ci
def test_the_table_of_conventions_is_that_of_the_tests():
    assert TABLE.read_text() == "\n".join(conventions.table()) + "\n"


@pytest.mark.ci
def test_a_row_without_its_test_is_refused(monkeypatch):
    import test_dialect_maxtext as module

    monkeypatch.setattr(module, "CONVENTIONS", [("cosine", "updates", "0", "N - 1", "held", "test_of_nothing")])
    with pytest.raises(ValueError, match="must be 5 texts and a test of the file"):
        list(conventions.rows())
