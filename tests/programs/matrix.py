"""The tests on the oldest and the newest versions, on every Python: one environment a cell, one table at the end.

    python tests/programs/matrix.py     # everything; about half an hour on two cores
    python tests/programs/matrix.py --pythons 3.12 --resolutions lowest-direct --select tests/contract

Needs uv, and the Pythons where uv or pyenv finds them. "lowest-direct" installs the floors of pyproject.toml, "highest"
the newest that resolve. The environments stay in .venv-PYTHON-RESOLUTION, with what pytest said in pytest.log. The exit
code is 1 where a cell failed.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2]
PYTHONS = ("3.11", "3.12", "3.13")
RESOLUTIONS = ("lowest-direct", "highest")
SHOWN = ("jax", "optax", "numpy", "flax", "orbax-checkpoint")
# Not a requirement of jaxlr's, so uv takes the newest, whose warnings the oldest matplotlib would turn into failures.
BESIDE = {"lowest-direct": ("pyparsing>=3.1,<3.3",), "highest": ()}
VERSIONS = "import sys, importlib.metadata as m; print(*(m.version(name) for name in sys.argv[1:]))"


def interpreter(version: str) -> str:
    """The path of a Python: one that uv finds, or one of pyenv's."""
    found = subprocess.run(["uv", "python", "find", "--no-project", version], capture_output=True, text=True)
    if found.returncode == 0:
        return found.stdout.strip()
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for path in sorted(root.glob(f"versions/{version}.*/bin/python")):
        return str(path)
    sys.exit(f"matrix.py: no Python {version}: neither uv nor pyenv has one")


def run_cell(python: str, resolution: str, select: list[str]) -> tuple[list[str], bool]:
    """Makes the environment anew, runs the tests, and returns the row of the table and whether they passed."""
    environment = FOLDER / f".venv-{python}-{resolution}"
    inside = str(environment / "bin" / "python")
    make = ["uv", "venv", "--quiet", "--clear", "--python", interpreter(python), str(environment)]
    subprocess.run(make, cwd=FOLDER, check=True)
    install = ["uv", "pip", "install", "--quiet", "--python", inside, "--resolution", resolution, "-e", ".[dev]"]
    if subprocess.run([*install, *BESIDE[resolution]], cwd=FOLDER).returncode:
        return [python, resolution, *["-"] * len(SHOWN), "does not install", "-"], False
    versions = subprocess.run([inside, "-c", VERSIONS, *SHOWN], capture_output=True, text=True, check=True)
    started = time.perf_counter()
    with (environment / "pytest.log").open("w") as log:
        tests = [inside, "-m", "pytest", "-p", "no:cacheprovider", *select]
        code = subprocess.run(tests, cwd=FOLDER, stdout=log, stderr=subprocess.STDOUT).returncode
    seconds = f"{time.perf_counter() - started:.0f}"
    lines = (environment / "pytest.log").read_text().splitlines()
    if code:
        print("\n".join(lines[-40:]), flush=True)
    return [python, resolution, *versions.stdout.split(), lines[-1].strip("= ") if lines else "-", seconds], code == 0


def main() -> int:
    """Runs the cells and prints the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pythons", nargs="+", choices=PYTHONS, default=PYTHONS)
    parser.add_argument("--resolutions", nargs="+", choices=RESOLUTIONS, default=RESOLUTIONS)
    parser.add_argument(
        "--select", nargs=argparse.REMAINDER, default=["tests", "jaxlr"], help="what pytest gets: files, -k ...; last"
    )
    options = parser.parse_args()
    if shutil.which("uv") is None:
        parser.error("uv is missing: pip install uv")
    rows, passed = [], []
    for python in options.pythons:
        for resolution in options.resolutions:
            print(f"Python {python}, {resolution} ...", flush=True)
            row, good = run_cell(python, resolution, options.select)
            rows.append(row)
            passed.append(good)
    header = ["Python", "versions", *SHOWN, "tests", "seconds"]
    for row in (header, ["---"] * len(header), *rows):
        print(f"| {' | '.join(row)} |")
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
