"""The notebooks on the runtimes of the widest-used notebook service: what their first cell moves, how long they take.

    python tests/programs/notebook_runtimes.py                   # every runtime and notebook; a table at the end
    python tests/programs/notebook_runtimes.py --runtimes py312 --notebooks 5 --save

Each file of tests/programs/runtimes/ has a runtime's Python and, of its packages, all that jaxlr and a kernel use, in
the service's versions. An environment is made from it, jaxlr is installed by the first cell alone (from the address,
here the clone's own, so what is committed; then, taken away again, from the clone around the notebook), and `pip list`
before and after is compared. The exit code is 1 where a package moved or a notebook failed or took two minutes.
"""

import argparse
import base64
import io
import json
import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import nbclient
import nbformat

FOLDER = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((FOLDER / "colab").glob("*.ipynb"))
RUNTIMES = {path.stem: path for path in sorted((Path(__file__).parent / "runtimes").glob("*.txt"))}
KEPT = ("text/plain", "image/png")
LIMIT = 120  # seconds


def interpreter(version: str) -> str:
    """The path of a Python, 3.12 say, of pyenv or on the path."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    return str(next(root.glob(f"versions/{version}.*/bin/python"), f"python{version}"))


def prepare(pins: Path, folder: Path) -> str:
    """Makes the environment of a runtime if it is not there, and returns its Python."""
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        version = pins.read_text().split("\n", 1)[0].removeprefix("# Python ").split()[0].rstrip(",")
        subprocess.run([interpreter(version), "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", "-r", str(pins)], check=True)
        (folder / "ready").touch()
    subprocess.run([str(python), "-m", "pip", "uninstall", "-q", "-y", "jaxlr"], check=True)
    return str(python)


def packages(python: str) -> dict[str, str]:
    """The installed packages and their versions."""
    command = [python, "-m", "pip", "list", "--format=json"]
    listed = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {each["name"]: each["version"] for each in listed}


def moved(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """What is no longer as it was."""
    return [f"{name} {before[name]} -> {after.get(name)}" for name in before if after.get(name) != before[name]]


def kernel_of(python: str, folder: Path) -> str:
    """Tells Jupyter of the environment's kernel, and returns its name."""
    place = folder / "share" / "jupyter"
    (place / "kernels" / "runtime").mkdir(parents=True, exist_ok=True)
    command = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": command, "display_name": "runtime", "language": "python"}
    (place / "kernels" / "runtime" / "kernel.json").write_text(json.dumps(spec))
    os.environ["JUPYTER_PATH"] = str(place)
    return "runtime"


def together(outputs: list) -> list:
    """A cell's outputs with neighbouring pieces of one stream joined: where they are parted is chance."""
    joined: list = []
    for output in outputs:
        if output.output_type == "stream" and joined and joined[-1].get("name") == output.name:
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def execute(path: Path, folder: Path, kernel: str = "python3", timeout: int = 900):
    """The notebook after all its cells have run in a folder."""
    notebook = nbformat.read(path, as_version=4)
    # What a compiler says of a slow machine belongs to no cell.
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    resources = {"metadata": {"path": str(folder)}}
    nbclient.NotebookClient(notebook, timeout=timeout, kernel_name=kernel, resources=resources).execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = together(cell.outputs)
    return notebook


def smaller(picture: str) -> str:
    """A picture with 256 colours, which is a third of the bytes."""
    from PIL import Image

    written = io.BytesIO()
    image = Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB")
    image.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(written, "PNG", optimize=True)
    return base64.b64encode(written.getvalue()).decode()


def save(notebook, path: Path) -> None:
    """Writes the outputs, and nothing of when and where they were made."""
    notebook.metadata = nbformat.read(path, as_version=4).metadata
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            if "data" in output:
                output.data = {kind: output.data[kind] for kind in KEPT if kind in output.data}
                output.metadata = {}
                if "image/png" in output.data:
                    output.data["image/png"] = smaller(output.data["image/png"])
    path.write_text(nbformat.writes(notebook) + "\n")


def by_address(python: str, folder: Path) -> None:
    """Runs the first cell where no clone is, with the clone's own address."""
    first = next(cell for cell in nbformat.read(NOTEBOOKS[0], as_version=4).cells if cell.cell_type == "code").source
    address = FOLDER.as_uri().replace("file:///", "file://localhost/")  # older pips want a host
    source = re.sub("^REPOSITORY = .*$", f"REPOSITORY = {address!r}", first, flags=re.MULTILINE)
    subprocess.run([python, "-c", source], cwd=folder, check=True)
    subprocess.run([python, "-c", "import jaxlr"], cwd=folder, check=True)


def processor_seconds() -> float:
    """What ended processes of this one took of all cores."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run_runtime(name: str, notebooks: list[Path], folder: Path, saved: bool) -> tuple[list[list[str]], bool]:
    """The rows of a runtime, and whether all was well."""
    os.environ.pop("PYTHONPATH", None)
    python = prepare(RUNTIMES[name], folder)
    kernel, before = kernel_of(python, folder), packages(python)
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    by_address(python, elsewhere)
    changes = moved(before, packages(python))
    prepare(RUNTIMES[name], folder)
    rows, good = [], True
    for path in notebooks:
        started, spent = time.perf_counter(), processor_seconds()
        notebook = execute(path, FOLDER / "colab", kernel)
        seconds, processor = time.perf_counter() - started, processor_seconds() - spent
        # On a machine that does other things besides, the wall clock tells of those.
        good = good and min(seconds, processor) < LIMIT
        rows.append([name, path.stem, f"{seconds:.0f}", f"{processor:.0f}"])
        print(" | ".join(rows[-1]), flush=True)
        if saved:
            save(notebook, path)
    after = packages(python)
    changes += moved(before, after)
    added = sorted(f"{each} {version}" for each, version in after.items() if each not in before)
    print(f"{name}: moved: {', '.join(changes) or 'nothing'}; added: {', '.join(added)}", flush=True)
    return rows, good and not changes


def main() -> int:
    """Runs the runtimes and prints the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runtimes", nargs="+", choices=RUNTIMES, default=list(RUNTIMES))
    parser.add_argument("--notebooks", nargs="+", default=[""], help="how their names begin")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the environments are made")
    parser.add_argument("--save", action="store_true", help="write the first runtime's outputs into colab/")
    options = parser.parse_args()
    chosen = [path for path in NOTEBOOKS if path.name.startswith(tuple(options.notebooks))]
    rows, fine = [], True
    for name in options.runtimes:
        saved = options.save and name == options.runtimes[0]
        more, good = run_runtime(name, chosen, options.folder / f".venv-{name}", saved)
        rows, fine = rows + more, fine and good
    header = ["runtime", "notebook", "seconds", "processor seconds"]
    for row in (header, ["---"] * len(header), *rows):
        print(f"| {' | '.join(row)} |")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
