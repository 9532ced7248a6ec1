"""When each dialect's schedule starts and ends, counted in updates: where frameworks differ by one.

`python tests/programs/conventions.py --out table.md` writes the rows `CONVENTIONS` of every test module of a dialect
that has them. The test named in a row asserts it at the border; a row whose test is not there is an error.
"""

import argparse
import importlib
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
HEAD = ["theirs", "unit", "rate of the first update", "count of the last rate", "after it", "asserted by"]


def rows():
    """The rows of all dialects."""
    for path in sorted((TESTS / "dialects").glob("test_dialect_*.py")):
        module = importlib.import_module(path.stem)
        for row in getattr(module, "CONVENTIONS", ()):
            *told, test = row
            if len(row) != len(HEAD) or not callable(getattr(module, test, None)):
                raise ValueError(f"{path.name}: {row} must be {len(HEAD)} texts, the last a test of the file")
            yield [*told, f"`{path.name}::{test}`"]


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
