"""Everything worth measuring on one device, in one command that ends after eight minutes.

    python benchmarks/on_device.py [--minutes 8] [--parts exactness optimizers ...] [--small]

It needs jax, flax and optax; torch, where it is there, takes part on the same device. No network. Every part is a
process of its own with a share of the time, and can be run alone; what has been measured is kept in --work, so that
the same command goes on where an interrupted one was. The table goes to results/on_device_DEVICE.md, with what was left
out and why.

- exactness: the compiled schedules against exact numbers (tests/programs/fuzz.py; needs mpmath, which torch brings)
- optimizers: steps against Optax's, and torch's fused and foreach (benchmarks/optimizers.py)
- training: images a second of the trainer, of a plain Flax loop and of torch (benchmarks/training.py)
- sweep: 16, 64 and 256 trainings in one program against one after the other (benchmarks/search_jax.py)
- range: a range test of 100 rates, compiled and again (benchmarks/search_jax.py)
- compile: seconds to compile schedules, and an update of 1,000 arrays
- clr: the CLR paper's comparison (benchmarks/clr.py), as far as the time goes; --clr gives it options of a longer one
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent


class Part(NamedTuple):
    """One measurement."""

    title: str
    share: float  # of the time
    command: list[str]
    small: list[str]  # in its place with --small


OWN = [str(HERE / "on_device.py"), "--only"]
PARTS = {
    "exactness": Part(
        "Exactness of the schedules on the device",
        0.2,
        [str(ROOT / "tests/programs/fuzz.py"), "--minutes", "{minutes}", "--draws", "3000"],
        [str(ROOT / "tests/programs/fuzz.py"), "--draws", "2", "--only", "linear", "constant"],
    ),
    "optimizers": Part(
        "Optimizer steps",
        0.25,
        [
            str(HERE / "optimizers.py"),
            "--rounds",
            "30",
            "--torch-python",
            "{torch}",
            "--wrappers",
            "plain",
            "accumulate",
        ],
        [str(HERE / "optimizers.py"), "--rounds", "1", "--arrays", "few", "--optimizers", "sgd", "--wrappers", "plain"],
    ),
    "training": Part(
        "Training, images a second",
        0.15,
        [str(HERE / "training.py"), "--synthetic", "--images", "51200", "--runs", "3", "--threads", "8"],
        [
            str(HERE / "training.py"),
            "--synthetic",
            "--images",
            "64",
            "--batch-size",
            "32",
            "--width",
            "2",
            "--runs",
            "1",
        ],
    ),
    "sweep": Part("A sweep against separate runs", 0.15, [*OWN, "sweep"], [*OWN, "sweep", "--small"]),
    "range": Part("A range test", 0.05, [*OWN, "range"], [*OWN, "range", "--small"]),
    "compile": Part("Compile times", 0.1, [*OWN, "compile"], [*OWN, "compile", "--small"]),
    "clr": Part(
        "The CLR paper's comparison",
        0.1,
        [str(HERE / "clr.py"), "--data", "digits"],
        [str(HERE / "clr.py"), "--data", "digits", "--updates", "25", "--budget", "1", "--seeds", "1"],
    ),
}


def main() -> None:
    options = parse_options()
    if options.only:
        OWN_PARTS[options.only](options.small)
        return
    started = time.monotonic()
    device = name_of_device()
    work = options.work or ROOT / "build" / f"on_device_{device['slug']}{'_small' * options.small}"
    work.mkdir(parents=True, exist_ok=True)
    left = {name: part for name, part in PARTS.items() if name in options.parts and not kept(work, name)}
    for name, part in left.items():
        remaining = 60 * options.minutes - (time.monotonic() - started)
        shares = sum(PARTS[other].share for other in list(left)[list(left).index(name) :])
        seconds = max(0.0, remaining * part.share / shares)
        measure(name, part, seconds, work, options)
        write_table(work, device, options)
    path = write_table(work, device, options)
    print(f"{path} after {time.monotonic() - started:.0f} s")


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=8.0, help="for all parts together")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--small", action="store_true", help="sizes for trying the script")
    parser.add_argument(
        "--clr", nargs=argparse.REMAINDER, default=[], help="further options of clr.py; the last one here"
    )
    parser.add_argument("--torch-python", default=sys.executable, help="a Python that has torch")
    parser.add_argument("--work", type=Path, help="where each part's output is kept; None: below build/")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder of the table")
    parser.add_argument("--only", choices=OWN_PARTS, help=argparse.SUPPRESS)
    return parser.parse_args()


def name_of_device() -> dict[str, str]:
    """The device and the versions; asked in a process of its own, which gives the device's memory back."""
    program = (
        "import jax, jaxlib, optax, flax, json; device = jax.devices()[0];"
        "print(json.dumps([device.platform, device.device_kind, jax.__version__, optax.__version__, flax.__version__]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment())
    if done.returncode:
        sys.exit(f"no device: {done.stderr.strip().splitlines()[-1]}")
    kind, name, *versions = json.loads(done.stdout.splitlines()[-1])
    name = f"{platform.machine()} CPU, {os.cpu_count()} cores" if kind == "cpu" else name
    jax, optax, flax = versions
    said = f"{name}, Python {platform.python_version()}, jax {jax}, optax {optax}, flax {flax}"
    return {"slug": kind if kind == "cpu" else re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-"), "said": said}


def environment() -> dict[str, str]:
    """A part leaves memory of the device to torch beside it, and finds this checkout's jaxlr."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", **os.environ, "PYTHONPATH": path}


def kept(work: Path, name: str) -> bool:
    """Whether a part has been measured to its end."""
    path = work / f"{name}.json"
    return path.exists() and json.loads(path.read_text())["ended"]


def measure(name: str, part: Part, seconds: float, work: Path, options: argparse.Namespace) -> None:
    """Runs a part, as long as it may take, and keeps what it printed."""
    words = part.small if options.small else part.command
    words = [word.format(minutes=f"{0.8 * seconds / 60:.2f}", torch=options.torch_python) for word in words]
    if name == "training":
        words += ["--torch-python", options.torch_python]
    if name == "clr":
        words += options.clr
    print(f"{name}: at most {seconds:.0f} s", flush=True)
    started, path = time.monotonic(), work / f"{name}.txt"
    with path.open("w") as output:
        try:
            done = subprocess.run(
                [sys.executable, *words], stdout=output, stderr=subprocess.PIPE, text=True, timeout=seconds,
                env=environment(), cwd=HERE,
            )  # fmt: skip
            failure = (done.stderr.strip().splitlines() or ["?"])[-1] if done.returncode else ""
            note = f"it failed: {failure}" if done.returncode else ""
            ended = not done.returncode
        except subprocess.TimeoutExpired:
            note, ended = f"stopped after {seconds:.0f} s", False
    shown = " ".join(word.replace(f"{ROOT}/", "") for word in words)
    record = {"command": f"python {shown}", "seconds": time.monotonic() - started, "note": note, "ended": ended}
    (work / f"{name}.json").write_text(json.dumps(record))


def write_table(work: Path, device: dict[str, str], options: argparse.Namespace) -> Path:
    """All that has been measured so far, as markdown."""
    lines = [f"# On {device['said']}", "", f"Printed by `python benchmarks/on_device.py{' --small' * options.small}`."]
    for name, part in PARTS.items():
        lines += ["", f"## {part.title}", ""]
        path = work / f"{name}.json"
        if not path.exists():
            lines.append("Not measured.")
            continue
        record = json.loads(path.read_text())
        lines.append(f"`{record['command']}`, {record['seconds']:.0f} s{': ' * bool(record['note'])}{record['note']}")
        if text := (work / f"{name}.txt").read_text().rstrip():
            lines += ["", "```", text, "```"]
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / f"on_device_{device['slug']}{'_small' * options.small}.md"
    path.write_text("\n".join(lines) + "\n")
    return path


def search_problem(small: bool) -> tuple[Any, Any, Any, int]:
    """A network, images and the batches of a training."""
    import numpy as np
    from flax import nnx

    from jaxlr.training.network.models import CNN

    dice = np.random.default_rng(0)
    examples, batch, updates, width = (32, 8, 2, 2) if small else (6400, 64, 100, 16)
    images = dice.integers(0, 256, (examples, 28, 28, 1)).astype(np.uint8)
    labels = dice.integers(0, 10, examples).astype(np.int32)
    batches = dice.integers(0, examples, (updates, batch)).astype(np.int32)
    return (
        CNN((28, 28, 1), 10, width=width, depth=1 if small else 2, rngs=nnx.Rngs(0)),
        images,
        (labels, batches),
        updates,
    )


def run_sweep(small: bool) -> None:
    """Members in one program against one after the other, compilation and all."""
    import numpy as np
    import search_jax

    model, images, (labels, batches), updates = search_problem(small)
    for members in (2,) if small else (16, 64, 256):
        peaks = np.geomspace(1e-4, 1e-1, members).astype(np.float32)
        started = time.perf_counter()
        note = search_jax.run_sweep(model, images, labels, batches, peaks)["note"]
        together = time.perf_counter() - started
        few, started = peaks[:8], time.perf_counter()
        search_jax.run_separate(model, images, labels, batches, few)
        separate = (time.perf_counter() - started) * members / len(few)
        print(
            f"{members:4} trainings of {updates} updates: sweep {together:.1f} s ({note}), one after the other "
            f"{separate:.1f} s ({len(few)} of them, by proportion)",
            flush=True,
        )


def run_range(small: bool) -> None:
    """A range test, and once more with the same program."""
    import numpy as np
    import search_jax

    model, images, (labels, batches), updates = search_problem(small)
    started = time.perf_counter()
    found = search_jax.run_range(model, images, labels, batches, np.array([1e-6, 1.0], np.float32))
    first = time.perf_counter() - started - found["again"]
    print(f"{updates} rates: {first:.2f} s with its compilation, {found['again']:.2f} s again")


def run_compile(small: bool) -> None:
    """Seconds to compile, jaxlr against Optax."""
    import jax
    import jax.numpy as jnp
    import optax

    import jaxlr

    def seconds(function: Any, *arguments: Any) -> tuple[float, float]:
        started = time.perf_counter()
        lowered = jax.jit(function).lower(*arguments)
        traced = time.perf_counter()
        lowered.compile()
        return traced - started, time.perf_counter() - traced

    count = jnp.int32(7)
    pairs = {
        "linear": (jaxlr.linear(0.1, 0.0, 1000), optax.linear_schedule(0.1, 0.0, 1000)),
        "cosine": (jaxlr.cosine(0.1, 1000), optax.cosine_decay_schedule(0.1, 1000)),
        "warm-up, cosine": (
            jaxlr.warmup(jaxlr.cosine(0.1, 900), 100),
            optax.warmup_cosine_decay_schedule(0.0, 0.1, 100, 1000),
        ),
        "one cycle": (jaxlr.one_cycle(0.1, 1000), optax.cosine_onecycle_schedule(1000, 0.1)),
        "cosine restarts": (jaxlr.cosine_restarts(0.1, 100, t_mul=2), None),
        "time_based": (jaxlr.time_based(0.1, 0.01), None),
    }
    for name, (own, theirs) in pairs.items():
        figures = [seconds(lambda n, schedule=each: schedule(n), count) for each in (own, theirs) if each]
        print(f"{name:16} " + " / ".join(f"{trace:.2f} + {compiled:.2f} s" for trace, compiled in figures), flush=True)
    arrays = [jnp.ones(256)] * (8 if small else 1000)
    for library in (jaxlr, optax):
        optimizer = library.adamw(1e-3)

        def step(params: Any, state: Any, gradients: Any, optimizer: Any = optimizer) -> Any:
            updates, state = optimizer.update(gradients, state, params)
            return optax.apply_updates(params, updates), state

        trace, compiled = seconds(step, arrays, optimizer.init(arrays), arrays)
        print(
            f"adamw, {len(arrays)} arrays, {library.__name__}: {trace:.2f} s traced, {compiled:.2f} s compiled",
            flush=True,
        )
    print("traced and lowered + compiled; jaxlr / optax")


OWN_PARTS = {"sweep": run_sweep, "range": run_range, "compile": run_compile}


if __name__ == "__main__":
    main()
