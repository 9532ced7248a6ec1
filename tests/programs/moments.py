"""Ends commands at each of their file-system events: a kill, Ctrl-C, a full disk, a folder that is moved away.

Whatever ends must say one line (a kill none), and what the line says to do, or else the same command once more, must
reach the very results of a command that went through, with nothing half-made left. Run it from the repository; it
exits 1 where one does not, and says which:

  python tests/programs/moments.py                             every event of every command
  python tests/programs/moments.py --every 20 --command find   each twentieth of one
"""

import argparse
import contextlib
import os
import re
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

KINDS = ("kill", "interrupt", "full", "moved")
NETWORK = ["--width", "2", "--depth", "1", "--batch-size", "128", "--epochs", "2"]
SAVING = ["--optimizer", "sgd", "--checkpoint-every", "8"]
COMMANDS = {
    "train": ["train", *NETWORK, *SAVING, "--schedule", "cosine(0.1, 2ep)", "--events", "tensorboard"],
    "from": ["train", *NETWORK, *SAVING, "--schedule", "cosine(0.1, 2ep)", "--from", "base"],
    "auto": ["train", *NETWORK, "--lr", "auto"],
    "find": ["find", *NETWORK, "--start", "1e-4", "--end", "100", "--steps", "60", "--tests", "1"],
    "sweep": ["sweep", *NETWORK, "--schedule", "triangular(0.001, 0.01, 1ep)", "--vary", "max_lr", "0.01", "0.1"],
}
OUT = "run"
# What a command that is over has made, to the last byte.
RESULTS = ("metrics.jsonl", "weights.npz", "range_test.json", "results.json")
TEMPORARY = re.compile(r"\.part$|\.starting$|orbax-checkpoint-tmp")
WRITES = {"os.mkdir": 0, "os.rename": 1, "os.remove": 0, "os.rmdir": 0, "os.truncate": 0}


class Ended(NamedTuple):
    """How a process ended."""

    code: int  # below 0: a signal
    err: str
    events: int  # that it has come to


class Moment:
    """Counts the events of this process in the current folder, and does something at one of them.

    Args:
      at: the event; None: counts alone.
      kind: what is done.
    """

    def __init__(self, at: int | None, kind: str):
        self.at, self.kind, self.seen, self.here = at, kind, 0, os.getcwd()
        self._acting = False

    def __call__(self, event: str, arguments: tuple) -> None:
        """Is Python's audit hook."""
        path = self._written(event, arguments)
        if path is None or self._acting:
            return
        self.seen += 1
        if self.at is None or self.seen < self.at:
            return
        if self.kind == "full" and event not in ("os.remove", "os.rmdir", "os.truncate"):
            raise OSError(28, os.strerror(28), path)
        if self.seen == self.at:
            self._acting = True
            self._act()
            self._acting = False

    def _act(self) -> None:
        if self.kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.kind == "interrupt":
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.2)
        elif self.kind == "moved" and os.path.exists(OUT):
            os.rename(OUT, "elsewhere")

    def _written(self, event: str, arguments: tuple) -> str | None:
        """The path that is written to, if it is one in the folder."""
        if event == "open":
            path, mode, flags = arguments
            if not (set(mode or "") & set("wax+") or (flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
                return None
        elif event in WRITES:
            path = arguments[WRITES[event]]
        else:
            return None
        if not isinstance(path, str | os.PathLike):
            return None
        whole = os.path.abspath(os.fspath(path))
        return os.fspath(path) if whole.startswith(f"{self.here}/") else None


def call(words: list[str], at: int | None = None, kind: str = "") -> Ended:
    """Runs a command in a process of its own, forked before jax has looked at a device."""
    with tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as counted:
        child = os.fork()
        if child == 0:
            code = 70
            try:
                os.dup2(err.fileno(), 2)
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
                sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
                sys.argv = ["jaxlr", *words]
                moment = Moment(at, kind)
                sys.addaudithook(moment)
                from jaxlr.cli import main

                code = main()
                os.pwrite(counted.fileno(), str(moment.seen).encode(), 0)
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        return Ended(code, os.pread(err.fileno(), 10**6, 0).decode(), int(os.pread(counted.fileno(), 20, 0) or 0))


def prepare(cache: Path) -> None:
    """Imports what every process needs, and lets them share what is compiled."""
    import jax

    import jaxlr.cli.find
    import jaxlr.cli.sweep
    import jaxlr.cli.train
    import jaxlr.search.sweeps.run
    import jaxlr.training.loop.chunk
    import jaxlr.training.runs.run
    import jaxlr.training.runs.saving.checkpoints

    # The name of a program is part of its key.
    jaxlr.training.loop.chunk._traced_once = lambda function: function
    jax.config.update("jax_compilation_cache_dir", str(cache))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    os.environ["MPLBACKEND"] = "agg"


def results(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in RESULTS if (folder / name).exists()}


def again(line: str, words: list[str]) -> list[str]:
    """What the line says to do; where a kill left none, the run is taken up again or else the same command is given."""
    if found := re.search(r"go on with jaxlr (train --resume \S+)", line):
        return shlex.split(found[1])
    return (
        ["train", "--resume", OUT] if not line and words[0] == "train" and Path(OUT, "config.json").exists() else words
    )


def fault(ended: Ended, kind: str) -> str | None:
    """What is wrong with how a command ended."""
    allowed = {"kill": (-signal.SIGKILL, 0), "interrupt": (130, 0), "full": (0, 1, 2), "moved": (0, 1, 2)}[kind]
    if ended.code not in allowed:
        return f"ended with {ended.code}: {ended.err.strip()[-300:]}"
    lines = 0 if ended.code in (0, -signal.SIGKILL) else 1
    if len(ended.err.splitlines()) != lines or "unforeseen" in ended.err or "Traceback" in ended.err:
        return f"ended with {ended.code} and said {ended.err.strip()[-300:]!r}"
    return None


def met(name: str, words: list[str], at: int, kind: str, straight: dict[str, bytes]) -> tuple[str, str | None]:
    """Ends a command at one event and goes on; gives how it ended, and what is wrong."""
    ended = call(words, at, kind)
    if kind == "moved" and Path("elsewhere").exists():
        if Path(OUT).exists():
            return "moved", f"made {sorted(map(str, Path(OUT).rglob('*')))} in the place of the folder that was moved"
        Path("elsewhere").rename(OUT)
    wrong = fault(ended, kind)
    if wrong is None and ended.code != 0 and not is_whole(words, straight):
        last = call(again(ended.err, words))
        if last.code != 0:
            wrong = f"{ended.err.strip()!r}; then {last.code}: {last.err.strip()[-300:]}"
    if wrong is None:
        wrong = left_over(Path(OUT), straight)
    how = {0: "went through", -signal.SIGKILL: "killed"}.get(ended.code, "told")
    return how, wrong


def is_whole(words: list[str], straight: dict[str, bytes]) -> bool:
    """Whether a search that was ended has left all its files: then nothing is left to do."""
    return words[0] == "find" and results(Path(OUT)) == straight and Path(OUT, "config.json").exists()


def left_over(folder: Path, straight: dict[str, bytes]) -> str | None:
    """What a command has left that is not as it should be."""
    others = [str(path) for path in folder.rglob("*") if TEMPORARY.search(path.name)]
    if (folder / "config.json").exists():  # beside it the mark of a folder that has not begun says nothing
        others = [path for path in others if not path.endswith(".starting")]
    if others:
        return f"left {others}"
    found = results(folder)
    differing = [name for name in straight if found.get(name) != straight[name]]
    return f"other {', '.join(differing)}" if differing else None


def run(commands: list[str], kinds: list[str], every: int) -> list[str]:
    """The faults that were found, each in a line."""
    found: list[str] = []
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        prepare(Path(place) / "compiled")
        for name in commands:
            words = [*COMMANDS[name], "--out", OUT]
            with folder(Path(place) / name, needs_base="--from" in words):
                whole = call(words)
                if whole.code != 0:
                    sys.exit(f"{name} failed: {whole.err}")
                straight, ways = results(Path(OUT)), Counter()
                for at in range(1, whole.events + 1, every):
                    for kind in kinds:
                        shutil.rmtree(OUT, ignore_errors=True)
                        how, wrong = met(name, words, at, kind, straight)
                        ways[kind, how] += 1
                        if wrong:
                            found.append(f"{name}, {kind} at event {at} of {whole.events}: {wrong}")
                            print(found[-1], flush=True)
                told = ", ".join(f"{kind} {number} {how}" for (kind, how), number in sorted(ways.items()))
                print(f"{name}: {whole.events} events: {told}", flush=True)
    return found


@contextlib.contextmanager
def folder(path: Path, *, needs_base: bool) -> Iterator[None]:
    path.mkdir()
    with contextlib.chdir(path):
        if needs_base:
            base = call([*COMMANDS["train"], "--out", "base"])
            if base.code != 0:
                sys.exit(f"the run to start from failed: {base.err}")
        yield


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, help="each so many-th event")
    parser.add_argument("--command", choices=COMMANDS, action="append", help="this command alone")
    parser.add_argument("--kind", choices=KINDS, action="append", help="this kind of end alone")
    options = parser.parse_args()
    found = run(options.command or list(COMMANDS), options.kind or list(KINDS), options.every)
    print(f"{len(found)} faults")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
