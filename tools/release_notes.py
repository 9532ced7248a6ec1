"""The notes of a release, from CHANGELOG.md.

    python tools/release_notes.py            # of the version that pyproject.toml has; or "Unreleased"
    python tools/release_notes.py 0.2.0
    python tools/release_notes.py --tag v0.2.0    # and an error unless pyproject.toml has that version: for publishing

A version's part begins with `## 0.2.0` (a date may follow) and ends before the next line that begins with `## `.
"""

import argparse
import re
import sys
import tomllib
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1]
UNRELEASED = "Unreleased"


def version() -> str:
    """The version of pyproject.toml, its one place."""
    return tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]["version"]


def parts(changelog: str) -> dict[str, str]:
    """The notes of every version, newest first, without their heading lines."""
    found = {}
    for part in re.split(r"^## ", changelog, flags=re.MULTILINE)[1:]:
        heading, _, notes = part.partition("\n")
        name = heading.split()[0].strip("[]") if heading.strip() else ""
        if name in found:
            raise ValueError(f"the changelog has two parts for {name!r}")
        found[name] = notes.strip() + "\n"
    return found


def joined(notes: str) -> str:
    """Notes with each paragraph and item on one line: release pages break lines where the text does."""
    lines: list[str] = []
    for line in notes.splitlines():
        goes_on = lines and lines[-1] and line.strip() and not re.match(r"\s*([-*#|>]|\d+\.)\s?", line)
        if goes_on and not lines[-1].startswith("#"):
            lines[-1] += " " + line.strip()
        else:
            lines.append(line.rstrip())
    return "\n".join(lines).strip() + "\n"


def notes_of(wanted: str, changelog: str) -> str:
    """The notes of one version."""
    found = parts(changelog)
    if wanted not in found:
        raise ValueError(f"CHANGELOG.md has no part for {wanted!r}, it has {', '.join(found) or 'none at all'}")
    if not found[wanted].strip():
        raise ValueError(f"the part of CHANGELOG.md for {wanted!r} is empty")
    return joined(found[wanted])


def main(arguments: list[str] | None = None) -> int:
    """Prints the notes; 2 and one line on stderr where there are none."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("version", nargs="?", help="as it stands in the changelog")
    parser.add_argument("--tag", help="a tag such as v0.2.0, which must be the version of pyproject.toml")
    options = parser.parse_args(arguments)
    try:
        if options.tag is not None and options.tag != f"v{version()}":
            raise ValueError(f"the tag is {options.tag!r}, and pyproject.toml has version {version()!r}: v{version()}")
        changelog = (FOLDER / "CHANGELOG.md").read_text()
        wanted = options.version or version()
        if options.version is None and options.tag is None and wanted not in parts(changelog):
            wanted = UNRELEASED
        print(notes_of(wanted, changelog), end="")
    except ValueError as error:
        print(f"release_notes.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
