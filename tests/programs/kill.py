"""Kills a run at random moments and takes it up again each time, and compares it with one that went through.

Run it from the repository; it exits 1 where a record is lost or doubled, or a parameter differs in a bit:

  python tests/programs/kill.py            200 updates killed 20 times, and a large state 5 times during its saves
  python tests/programs/kill.py --kills 2  the short form of the first
"""

import argparse
import contextlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SMALL = ["--width", "4", "--depth", "1", "--batch-size", "64", "--epochs", "10", "--schedule", "cosine(0.1, 10ep)"]
SMALL += ["--optimizer", "sgd", "--checkpoint-every", "5", "--events", "tensorboard"]
# 6 million numbers with two moments each: 72 MB in each of 44 checkpoints.
LARGE = ["--width", "256", "--depth", "3", "--batch-size", "16", "--epochs", "1", "--validation", "0.5"]
LARGE += ["--schedule", "cosine(0.001, 1ep)", "--checkpoint-every", "1"]


def start(*words):
    words = [sys.executable, "-m", "jaxlr", "train", *words]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def finish(process, *, killed=False):
    """Waits for a process; anything but its own end, or the kill, is an error."""
    _, err = process.communicate(timeout=1800)
    if process.returncode not in (0, *([-signal.SIGKILL] if killed else [])):
        sys.exit(f"exit code {process.returncode}: {err}")
    return process.returncode


def checkpoints(folder):
    """The complete ones, and those that are being written."""
    names = [path.name for path in (folder / "checkpoints").glob("*")]
    return sorted(int(name) for name in names if name.isdigit()), [name for name in names if not name.isdigit()]


def wait(process, condition):
    while process.poll() is None and not condition():
        time.sleep(0.002)


def kill_often(folder, words, kills, moment):
    """Starts a run, and kills it again and again; gives back where each kill met it."""
    process, met = start(*words, "--out", str(folder)), []
    while len(met) < kills:
        moment(process, folder)
        process.kill()
        if finish(process, killed=True) == 0:
            sys.exit(f"the run was over after {len(met)} kills: give it more updates")
        if not (folder / "config.json").exists():  # before the first file: nothing to take up
            met.append("before its folder")
            process = start(*words, "--out", str(folder))
            continue
        complete, torn = checkpoints(folder)
        met.append(f"{complete[-1] if complete else 'none'}{' in a save' if torn else ''}")
        process = start("--resume", str(folder))
    finish(process)
    return met


def at_random(seconds):
    """A moment: at any time from the process' start to some seconds after the next checkpoint."""
    choose = random.Random(0)

    def moment(process, folder):
        begun, before = time.monotonic(), checkpoints(folder)[0][-1:]
        if choose.random() < 0.25:  # while it imports, compiles, reads its checkpoint
            at = begun + choose.uniform(0.0, seconds)
            wait(process, lambda: time.monotonic() > at)
            return
        wait(process, lambda: checkpoints(folder)[0][-1:] > before)
        at = time.monotonic() + choose.uniform(0.0, 0.2)
        wait(process, lambda: time.monotonic() > at)

    return moment


def during_a_save(process, folder):
    """A moment while a checkpoint after the first new one is half-written."""
    choose = random.Random(len(list(folder.glob("checkpoints/*"))))
    before = checkpoints(folder)[0][-1:]
    wait(process, lambda: checkpoints(folder)[0][-1:] > before)
    wait(process, lambda: checkpoints(folder)[1])
    time.sleep(choose.uniform(0.0, 0.05))


def compare(name, straight, killed, met):
    first, second = ((folder / "metrics.jsonl").read_text().splitlines() for folder in (straight, killed))
    ended = [json.loads((folder / "summary.json").read_text()) for folder in (straight, killed)]
    counts = [record["count"] for record in map(json.loads, second) if "loss" in record]
    found = {
        "updates": ended[1]["updates"],
        "kills": len(met),
        "of them in a save": sum("in a save" in each for each in met),
        "at": ", ".join(met),
        "lines": len(second),
        "lost": len(set(range(ended[0]["updates"])) - set(counts)),
        "doubled": len(counts) - len(set(counts)),
        "lines equal": first == second,
        "parameters equal": ended[0]["parameters_sha256"] == ended[1]["parameters_sha256"],
        "sha256": ended[1]["parameters_sha256"],
        "parameters": ended[1]["parameters"],
    }
    print(f"{name}: {json.dumps(found, indent=2)}", flush=True)
    return found["lines equal"] and found["parameters equal"] and not found["lost"] and not found["doubled"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, help="of the run of 200 updates")
    parser.add_argument("--large-kills", type=int, help="of the run with a large state; 5, or none with --kills")
    parser.add_argument("--seconds", type=float, default=6.0, help="that a process takes to its first update")
    parser.add_argument("--folder", type=Path, help="new; for the runs, which are left there")
    options = parser.parse_args()
    large = options.large_kills if options.large_kills is not None else 5 if options.kills == 20 else 0
    good = True
    with contextlib.ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name, words, kills, moment in (
            ("200 updates", SMALL, options.kills, at_random(options.seconds)),
            ("large state", LARGE, large, during_a_save),
        ):
            if kills:
                straight, killed = (folder / f"{name}, {kind}" for kind in ("straight", "killed"))
                finish(start(*words, "--out", str(straight)))
                met = kill_often(killed, words, kills, moment)
                good &= compare(name, straight, killed, met)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
