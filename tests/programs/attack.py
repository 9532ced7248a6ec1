"""Attacks the trainer and the command line with tables of hostile inputs, and with Ctrl-C at random moments.

Every input must end within 10 seconds, in one line and an exit code of 1 or 2, without a traceback, and leave the
folder it was given as it was. Run it from the repository; it exits 1 where one does not, and says which:

  python tests/programs/attack.py               all tables (more than 1,500 inputs), then 40 interrupted runs
  python tests/programs/attack.py --every 50    each fiftieth input, and no interrupted runs
"""

import argparse
import contextlib
import dataclasses
import io
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxlr.cli import main as jaxlr_main
from jaxlr.training.runs.config import Task, TrainConfig
from jaxlr.training.runs.saving.checksums import FILE as CHECKSUMS

SECONDS = 10.0
SMALL = ["--width", "2", "--depth", "1", "--batch-size", "128", "--epochs", "2", "--schedule", "cosine(0.1, 2ep)"]
SMALL += ["--checkpoint-every", "8", "--optimizer", "sgd"]
WORDS = [
    "",
    " ",
    "-1",
    "0.5",
    "1e400",
    "nan",
    "-inf",
    "1e308",
    "9" * 40,
    "9" * 5000,
    "true",
    "[]",
    "{}",
    "é💥",
    "../..",
    "-",
]
WORDS += ["0x10", "1_000", "1,5", "None", "--", "a\nb", "%s", "'", '"', "cosine", "10ep", "x" * 20_000]
# As JSON writes them.
VALUES = [
    "null",
    "true",
    "-1",
    "3.5",
    "1e400",
    "NaN",
    "-Infinity",
    "1e308",
    "9" * 40,
    "9" * 5000,
    '""',
    '"x"',
    "[]",
    "[1]",
]
VALUES += ["{}", '"75"', "[[[]]]", '"\\ud800"', '"' + "x" * 200_000 + '"', "[" * 50_000]
SCHEDULES = [
    "",
    "(",
    ")",
    "cosine",
    "cosine(",
    "cosine()",
    "cosine(0.1)",
    "cosine(0.1, 'x')",
    "cosine(0.1, 0)",
    "1ep",
    "lambda: 0",
]
SCHEDULES += [
    "__import__('os')",
    "cosine(0.1, 10).x",
    "cosine(*[0.1, 10])",
    "open('x')",
    "cosine(0.1, 10ep",
    "0.1 +",
    "\x00",
]
SCHEDULES += [
    "cosine(nan, 10)",
    "cosine(1e400, 10)",
    "cosine(0.1, -5)",
    "cosine(0.1, 1.5)",
    "StepLR(0.1, 30)",
    "x" * 5000,
]
SCHEDULES += ["-" * 500 + "cosine(0.1, 10)", "(" * 5000 + "0.1" + ")" * 5000, "cosine(0.1, 9)" + ".shift(1)" * 2000]
SCHEDULES += [
    "[" * 5000,
    "cosine(0.1, 9)" + " + cosine(0.1, 9)" * 3000,
    "cosine(0." + "1" * 9000 + ", 9)",
    "join([], [])",
]
SCHEDULES += [
    "join([cosine(0.1, 9)], [1, 2])",
    "warmup(0.1, 5)",
    "per_epoch(3)",
    "cosine(0.1, 9) ** cosine(0.1, 9)",
    "1 / 0",
]


class Attack(NamedTuple):
    """One hostile input."""

    table: str
    label: str
    prepare: Callable[[Path], list[str]]  # what to do to a copy of a run's folder; gives the words to call with


class Outcome(NamedTuple):
    """What came of it."""

    code: int | str
    err: str
    seconds: float
    changed: bool


def replaced(path: Path, content: str | bytes) -> None:
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))


def last_checkpoint(folder: Path) -> Path:
    return max(
        (path for path in (folder / "checkpoints").iterdir() if path.name.isdecimal()), key=lambda p: int(p.name)
    )


def of_options() -> Iterator[Attack]:
    names = {"train": TrainConfig, "find": Task, "sweep": Task}
    others = {"train": ["lr", "config", "from", "resume"], "find": ["start", "end", "steps", "hold"], "sweep": ["vary"]}
    for command, options in names.items():
        for name in (*(field.name for field in dataclasses.fields(options) if field.type != "bool"), *others[command]):
            for word in WORDS:
                if command != "train" and name not in others[command] and WORDS.index(word) % 4:
                    continue  # the same options as those of train
                # Data that are not there end what would otherwise begin.
                words = [command, "--data", "absent.npz", f"--{name.replace('_', '-')}", word]
                if "\x00" not in word:
                    yield Attack("options", f"{command} --{name} {word[:30]!r}", lambda _, words=words: words)


def of_schedules() -> Iterator[Attack]:
    for text in SCHEDULES:
        for command in ("train", "plot", "sweep"):
            words = ["plot", text] if command == "plot" else [command, "--epochs", "1", "--schedule", text]
            if "\x00" not in text:
                yield Attack("schedules", f"{command} {text[:40]!r}", lambda _, words=words: words)


def of_json(table: str, file: str, fields: list[str], words: Callable[[Path], list[str]]) -> Iterator[Attack]:
    """Each value in each field of a JSON file, and files that are none."""

    def with_value(folder: Path, name: str, value: str) -> list[str]:
        kept = json.loads((folder / file).read_text())
        kept.pop(name, None)
        rest = json.dumps(kept)[1:-1]
        replaced(folder / file, f'{{"{name}": {value}{", " if rest else ""}{rest}}}')
        return words(folder)

    def with_content(folder: Path, content: str | bytes) -> list[str]:
        replaced(folder / file, content)
        return words(folder)

    for name in fields:
        for value in VALUES:
            yield Attack(table, f"{name}: {value[:30]}", lambda f, n=name, v=value: with_value(f, n, v))
    for content in (
        b"",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        "3",
        "[1]",
        '"x"',
        "{",
        '{"a": }',
        "null",
        b"\x00" * 99,
        "{" + '"a":{' * 9000,
    ):
        yield Attack(table, f"{file} is {content[:20]!r}", lambda f, c=content: with_content(f, c))


def of_positions() -> Iterator[Attack]:
    def attack(folder: Path, name: str, value: str) -> list[str]:
        place = last_checkpoint(folder)
        (place / CHECKSUMS).unlink()
        path = place / "position" / "metadata"
        kept = json.loads(path.read_text())
        kept.pop(name, None)
        replaced(path, f'{{"{name}": {value}, {json.dumps(kept)[1:-1]}}}')
        return ["train", "--resume", str(folder)]

    for name in ("count", "epoch", "skipped", "metrics_bytes", "seconds", "schedules", "resumed", "layout"):
        for value in VALUES:
            yield Attack("positions", f"{name}: {value[:30]}", lambda f, n=name, v=value: attack(f, n, v))


def of_records() -> Iterator[Attack]:
    def attack(folder: Path, line: str) -> list[str]:
        lines = (folder / "metrics.jsonl").read_text().splitlines()
        lines[2] = line
        replaced(folder / "metrics.jsonl", "\n".join(lines) + "\n")
        return ["report", str(folder), "--out", str(folder.parent / "x.png")]

    for value in VALUES:
        for line in (
            f'{{"count": {value}, "learning_rate": 1, "loss": 1}}',
            f'{{"count": 1, "learning_rate": {value}, "loss": 1}}',
        ):
            if "null" not in value and not (value in ("-1", "3.5", "1e308", "9" * 40) and '"count": 1,' in line):
                yield Attack("records", line[:60], lambda f, line=line: attack(f, line))
    for line in (
        "",
        "{",
        "[1]",
        "3",
        "null",
        '{"loss": 1}',
        '{"epoch": 1}',
        "[" * 50_000,
        "\x00",
        '{"count": 1}',
        '{"epoch": 3.5, "count": 1}',
    ):
        yield Attack("records", line[:60] or "empty", lambda f, line=line: attack(f, line))


def of_checkpoints() -> Iterator[Attack]:
    """Each file of a checkpoint: a bit turned over, cut, empty, gone."""

    def attack(folder: Path, place: int, how: str) -> list[str]:
        files = [path for path in sorted(last_checkpoint(folder).rglob("*")) if path.is_file() and path.stat().st_size]
        path = files[place % len(files)]
        content = path.read_bytes()
        if how == "gone" and path.name != CHECKSUMS:
            path.unlink()
        elif how == "cut":
            path.write_bytes(content[: len(content) // 2])
        elif how == "empty":
            path.write_bytes(b"")
        else:
            bit = random.Random(place).randrange(8 * len(content))
            path.write_bytes(content[: bit // 8] + bytes([content[bit // 8] ^ 1 << bit % 8]) + content[bit // 8 + 1 :])
        return ["train", "--resume", str(folder), "--epochs", "3"]

    for place in range(60):
        for how in ("bit", "cut", "empty", "gone"):
            yield Attack("checkpoints", f"file {place} {how}", lambda f, p=place, h=how: attack(f, p, h))


def of_data() -> Iterator[Attack]:
    def npy(shape: str, dtype: str, content: bytes) -> bytes:
        words = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}, }}".encode()
        return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(words)) + words + content

    def attack(folder: Path, images: bytes, labels: bytes) -> list[str]:
        place = folder.parent / "arrays"
        place.mkdir(exist_ok=True)
        (place / "images.npy").write_bytes(images)
        (place / "labels.npy").write_bytes(labels)
        return ["train", "--data", str(place), *SMALL]

    good = npy("(40, 8, 8)", "|u1", bytes(40 * 64)), npy("(40,)", "<i4", np.arange(40, dtype="<i4").tobytes())
    shapes = [
        "(40, 8)",
        "(0, 8, 8)",
        "(-1, 8, 8)",
        "(39, 8, 8)",
        f"({2**70}, 8, 8)",
        "()",
        "x",
        "(40, 1, 1)",
        "(40, 3, 9, 9)",
        "((",
        "40",
    ]
    dtypes = ["|O", "<c8", "<i8", "|S1", "<f2", "x", "<M8[s]", "|b1"]
    for shape in shapes:
        yield Attack(
            "data", f"images of {shape}", lambda f, s=shape: attack(f, npy(s, "|u1", bytes(40 * 243)), good[1])
        )
        if shape != "40":
            yield Attack(
                "data", f"labels of {shape}", lambda f, s=shape: attack(f, good[0], npy(s, "<i4", bytes(40 * 256)))
            )
    for dtype in dtypes:
        yield Attack(
            "data", f"images {dtype}", lambda f, d=dtype: attack(f, npy("(40, 8, 8)", d, bytes(2**15)), good[1])
        )
    for place in range(0, 128, 3):
        for array in (0, 1):

            def cut(folder: Path, array: int = array, place: int = place) -> list[str]:
                parts = list(good)
                parts[array] = parts[array][:place]
                return attack(folder, *parts)

            yield Attack("data", f"{'images' if array == 0 else 'labels'} cut at {place}", cut)


def attacks() -> list[Attack]:
    configs = [field.name for field in dataclasses.fields(TrainConfig)]
    made = [*of_options(), *of_schedules(), *of_positions(), *of_records(), *of_checkpoints(), *of_data()]
    absent = ["--data", "absent.npz"]
    made += of_json(
        "configs", "config.json", configs, lambda f: ["train", "--config", str(f), *absent, "--out", str(f / "new")]
    )
    made += of_json(
        "summaries",
        "summary.json",
        ["status", "updates", "test_accuracy", "images_per_second"],
        lambda f: ["report", str(f), "--out", "/dev/null/x.png"],
    )
    return made


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def ended(attack: Attack, base: Path, place: Path) -> Outcome:
    """Attacks a copy of a finished run."""
    folder = place / "run"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(base, folder)
    words = attack.prepare(folder)
    before, err, began = contents(folder), io.StringIO(), time.monotonic()
    with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()), contextlib.chdir(place):
        warnings.simplefilter("ignore")
        try:
            code: int | str = jaxlr_main(words)
        except BaseException as error:  # whatever comes through is what this looks for
            code = f"{type(error).__name__}: {error}"[:200]
    return Outcome(code, err.getvalue(), time.monotonic() - began, contents(folder) != before)


def fault(outcome: Outcome) -> str | None:
    """What is wrong with how an input was met."""
    if outcome.code not in (1, 2):
        return f"ended with {outcome.code!r}"
    if len(outcome.err.splitlines()) != 1 or len(outcome.err) > 2000:
        return f"{len(outcome.err.splitlines())} lines, {len(outcome.err)} letters"
    if "unforeseen fault" in outcome.err or "Traceback" in outcome.err:
        return "an unforeseen fault"
    if outcome.seconds > SECONDS:
        return f"{outcome.seconds:.1f} s"
    return "the folder was changed" if outcome.changed else None


def made_run(folder: Path) -> Path:
    with contextlib.redirect_stdout(io.StringIO()):
        if jaxlr_main(["train", *SMALL, "--out", str(folder)]) != 0:
            sys.exit("the run that is to be attacked failed")
    return folder


def run_tables(every: int, only: str | None = None) -> list[str]:
    """The faults that were found, each in a line."""
    found, seen, slowest = [], Counter(), 0.0
    with tempfile.TemporaryDirectory() as place:
        base = made_run(Path(place) / "base")
        for attack in attacks()[::every]:
            if only not in (None, attack.table):
                continue
            outcome = ended(attack, base, Path(place) / "attacked")
            seen[attack.table] += 1
            slowest = max(slowest, outcome.seconds)
            if wrong := fault(outcome):
                found.append(f"{attack.table}, {attack.label}: {wrong}: {outcome.err.strip()[:200]}")
                print(found[-1], flush=True)
    print(f"{sum(seen.values())} inputs {dict(seen)}, slowest {slowest:.1f} s, {len(found)} faults")
    return found


def run_interrupted(times: int) -> list[str]:
    """Ctrl-C at random moments from the start of the process on; what then goes on must end as if nothing had been."""
    found, choose, met = [], random.Random(0), Counter()
    with tempfile.TemporaryDirectory() as name:
        straight = json.loads((made_run(Path(name) / "base") / "summary.json").read_text())["parameters_sha256"]
        for number in range(times):
            folder, seconds = Path(name) / f"run-{number}", choose.uniform(0.3, 8.0)
            begin = [sys.executable, "-m", "jaxlr", "train", *SMALL, "--out", str(folder)]
            process = subprocess.Popen(begin, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            time.sleep(seconds)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=300)
            met[
                "over"
                if process.returncode == 0
                else "saved"
                if "saved" in err
                else "begun"
                if "go on" in err
                else "nothing"
            ] += 1
            if process.returncode not in (0, 130) or len(err.splitlines()) != (process.returncode != 0):
                found.append(f"Ctrl-C after {seconds:.2f} s: {process.returncode}: {err.strip()}")
            if process.returncode == 130:
                again = [*begin[:4], "--resume", str(folder)] if "go on with" in err else begin
                last = subprocess.run(again, capture_output=True, text=True, check=False)
                if last.returncode != 0:
                    found.append(f"Ctrl-C after {seconds:.2f} s, then: {last.stderr.strip()}")
                    continue
            if json.loads((folder / "summary.json").read_text())["parameters_sha256"] != straight:
                found.append(f"Ctrl-C after {seconds:.2f} s: other parameters")
    print(f"{times} times Ctrl-C {dict(met)}, {len(found)} faults")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, help="each so many-th input")
    parser.add_argument("--table", help="this table alone")
    parser.add_argument("--interrupts", type=int, help="interrupted runs; 40, or none with --every or --table")
    options = parser.parse_args()
    os.environ["MPLBACKEND"] = "agg"
    found = run_tables(options.every, options.table)
    whole = options.every == 1 and options.table is None
    found += run_interrupted(options.interrupts if options.interrupts is not None else 40 if whole else 0)
    print("\n".join(found))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
