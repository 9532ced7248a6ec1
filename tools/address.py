"""The repository's address: read from its one place, pyproject.toml, and written wherever else it must stand.

    python tools/address.py                                   # where it stands, and whether all places agree
    python tools/address.py https://github.com/someone/jaxlr  # writes it into all of them
    python tools/address.py --published                       # an error while it is the placeholder: for publishing

Until the repository has a public place its owner is written OWNER, which no first cell of a notebook follows.
"""

import argparse
import re
import sys
import tomllib
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1]
FORM = re.compile(r"https://github\.com/([A-Za-z0-9-]+)/([A-Za-z0-9._-]+)")
PLACEHOLDER = "OWNER"


def address() -> str:
    """The address in pyproject.toml."""
    return tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]["urls"]["Repository"]


def places() -> list[Path]:
    """The files that name it."""
    return [FOLDER / "pyproject.toml", FOLDER / "CITATION.cff", *sorted((FOLDER / "colab").glob("*.ipynb"))]


def forms(url: str) -> tuple[str, str]:
    """The address, and the part of it that the badge of a notebook has."""
    return url, "colab.research.google.com/github/" + url.removeprefix("https://github.com/")


def disagreeing(url: str) -> list[str]:
    """The places that do not name this address."""
    return [str(path.relative_to(FOLDER)) for path in places() if forms(url)[0] not in path.read_text()]


def write(old: str, new: str) -> None:
    """Puts a new address into every place."""
    for path in places():
        text = path.read_text()
        for before, after in zip(forms(old), forms(new), strict=True):
            text = text.replace(before, after)
        path.write_text(text)


def main(arguments: list[str] | None = None) -> int:
    """Tells or writes the address; 2 and one line on stderr where something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", nargs="?", help="the new one")
    parser.add_argument("--published", action="store_true", help="refuse the placeholder")
    options = parser.parse_args(arguments)
    if options.address is not None:
        if FORM.fullmatch(options.address) is None:
            print(f"address.py: must be https://github.com/NAME/NAME, got {options.address!r}", file=sys.stderr)
            return 2
        write(address(), options.address)
    if missing := disagreeing(address()):
        print(f"address.py: {address()} is not in {', '.join(missing)}", file=sys.stderr)
        return 2
    if options.published and f"/{PLACEHOLDER}/" in address():
        print(f"address.py: {address()} is the placeholder: python tools/address.py ADDRESS", file=sys.stderr)
        return 2
    print(f"{address()} in {len(places())} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
