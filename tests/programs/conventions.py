"""When each dialect's schedule starts and ends, counted in updates: where frameworks differ by one.

`python tests/programs/conventions.py --out table.md` writes the rows `CONVENTIONS` of every test module of a dialect
that has them. The test named in a row, or the one of all its rows, asserts it at the border; a row without a test is an
error.
"""

import argparse
import importlib
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
HEAD = ["framework", "theirs", "unit", "rate of the first update", "count of the last rate", "after it", "asserted by"]


def rows():
    """The rows of all dialects."""
    for path in sorted((TESTS / "dialects").glob("test_dialect_*.py")):
        module = importlib.import_module(path.stem)
        for row in getattr(module, "CONVENTIONS", ()):
            told, test = row[:_TOLD], row[_TOLD] if len(row) > _TOLD else _of_every_row(module)
            if len(told) != _TOLD or not callable(getattr(module, str(test), None)):
                raise ValueError(f"{path.name}: {row} must be {_TOLD} texts and a test of the file")
            yield [path.stem.removeprefix("test_dialect_"), *told, f"`{path.name}::{test}`"]


_TOLD = len(HEAD) - 2  # what a row says, before its test


def _of_every_row(module):
    """The test of a module that takes its rows one after another."""
    return next((name for name in vars(module) if name.startswith("test_the_borders_are")), None)


def table():
    """The table as lines of markdown."""
    return [f"| {' | '.join(cells)} |" for cells in [HEAD, ["---"] * len(HEAD), *rows()]]


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="where the table goes, as markdown")
    options = parser.parse_args()
    lines = table()
    print("\n".join(lines))
    if options.out:
        options.out.write_text("\n".join(lines) + "\n")


sys.path += [str(TESTS / folder) for folder in ("", "golden", "oracle", "dialects", "transforms")]

if __name__ == "__main__":
    main()
