"""The picture on the first page: exactness, one trunk for three budgets, a rate found; all of it is computed here.

    python benchmarks/front.py [--out docs/pictures]

Writes front.svg and front_dark.svg. The trainings are those of the digits, on this machine, in about half a minute.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax

import jaxlr
from jaxlr import plotting
from jaxlr.cli import main as jaxlr_command

PEAK, HORIZON, BINS = 0.1, 10_000, 80
BUDGETS, TRUNK = (4, 8, 16), "warmup(constant(0.005), 40)"
LEAST = 1e-2  # what stands for an error of 0 on a logarithmic axis, in ulps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs" / "pictures")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        budgets, found = trained(Path(folder), "sweep"), trained(Path(folder), "find")
    figure = drawn(budgets, found)
    plotting.save_figure(figure, out / "front.svg")
    plotting.save_figure(figure, out / "front_dark.svg", dark=True)
    print(f"{out / 'front.svg'}, {out / 'front_dark.svg'}")


def trained(folder: Path, command: str) -> Any:
    """What `jaxlr sweep --budgets` or `jaxlr find` wrote."""
    named = ",".join(f"{epochs}ep" for epochs in BUDGETS)
    own = ["--schedule", TRUNK, "--budgets", named] if command == "sweep" else []
    if code := jaxlr_command([command, "--out", str(folder / command), *own]):
        raise SystemExit(code)
    file = "results.json" if command == "sweep" else "range_test.json"
    return json.loads((folder / command / file).read_text())


def errors() -> dict[str, np.ndarray]:
    """The largest distance from the exact cosine in each of some spans of counts, in units in the last place."""
    counts = np.arange(HORIZON, dtype=np.int32)
    exact = PEAK * np.cos(math.pi / 2 * (counts / HORIZON)) ** 2  # in float64, without the cancellation of 1 + cos
    ulps = np.spacing(exact.astype(np.float32)).astype(np.float64)
    schedules = {
        "optax.cosine_decay_schedule": optax.cosine_decay_schedule(PEAK, HORIZON),
        "jaxlr.cosine": jaxlr.cosine(PEAK, HORIZON),
    }
    distances = {
        name: np.abs(np.asarray(jax.jit(schedule)(counts), np.float64) - exact) / ulps
        for name, schedule in schedules.items()
    }
    return {name: each.reshape(BINS, -1).max(axis=1) for name, each in distances.items()}


def drawn(budgets: Any, found: Any) -> Any:
    """The three panels."""
    with plotting.style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(12.8, 3.7), layout="constrained")
        exactness, branches, finder = figure.subplots(1, 3)
        draw_errors(exactness)
        draw_budgets(branches, budgets["budgets"])
        draw_finder(finder, found)
    return figure


def draw_errors(axes: Any) -> None:
    middles = (np.arange(BINS) + 0.5) * HORIZON / BINS
    found = errors()
    for (name, values), colour in zip(found.items(), (plotting.COLOURS[1], plotting.COLOURS[0]), strict=True):
        axes.plot(middles, np.maximum(values, LEAST), color=colour)
        above = name.startswith("optax")
        text = name if above else f"{name}, at most {values.max():.2f}"
        axes.annotate(text, (middles[2], values[2]), (0, 34 if above else -16), ha="left", color=colour, va="center",
                      textcoords="offset points", fontsize=12)  # fmt: skip
    axes.set_yscale("log")
    axes.set_ylim(LEAST, 1e8)
    axes.set_title("Exact at every count")
    axes.set_ylabel("error of the rate, ulps")
    axes.set_xlabel("updates of a cosine")


def draw_budgets(axes: Any, budgets: list[Any]) -> None:
    trunk = jaxlr.schedules.parse(TRUNK)
    last = budgets[-1]["start"]
    counts = np.arange(last + 1)
    axes.plot(counts, np.asarray(trunk(counts)), color=plotting.PALE)
    for budget, colour in zip(budgets, plotting.COLOURS[:3], strict=True):
        counts = np.arange(budget["start"], budget["updates"] + 1)
        axes.plot(counts, np.asarray(jaxlr.schedules.parse(budget["schedule"])(counts)), color=colour)
        accuracy = f"{100 * budget['validation_accuracy']:.1f}%"
        axes.annotate(accuracy, (budget["updates"], 0), (2, 8), textcoords="offset points", color=colour, fontsize=12)
    axes.set_title("One trunk, every budget")
    axes.set_ylabel("learning rate")
    axes.set_xlabel("updates; accuracy of each branch")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_xlim(0, 1.14 * budgets[-1]["updates"])
    axes.set_ylim(bottom=0)


def draw_finder(axes: Any, found: Any) -> None:
    rates = np.array(found["learning_rates"])
    axes.plot(rates, found["smoothed"], color=plotting.COLOURS[0])
    axes.axvline(found["recommendation"], color=plotting.COLOURS[1], linestyle="--")
    axes.axvline(found["max_stable"], color=plotting.PALE, linestyle=":")
    top = 1.3 * found["smoothed"][0]
    axes.set_xscale("log")
    axes.set_ylim(0, top)
    said = {
        "recommendation": ("train with", plotting.COLOURS[1], 0.95),
        "max_stable": ("stable to", plotting.PALE, 0.12),
    }
    behind = {"facecolor": plotting.PAPER, "edgecolor": "none", "pad": 2}
    for key, (words, colour, height) in said.items():
        axes.annotate(f"{words} {found[key]:.2g}", (found[key], height * top), (-8, 0), textcoords="offset points",
                      ha="right", va="top", color=colour, fontsize=12, bbox=behind)  # fmt: skip
    axes.set_title("The rate, found")
    axes.set_ylabel("loss")
    axes.set_xlabel("learning rate")


if __name__ == "__main__":
    main()
