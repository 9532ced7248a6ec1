"""A small curve of every schedule, one picture: `python benchmarks/gallery.py --out schedules.png`."""

import argparse
import ast
import doctest
from pathlib import Path

import numpy as np

from jaxlr import plotting
from jaxlr.schedules import FAMILIES, parse

STEPS = 400
# Calls that are drawn over 400 updates, in the order of the picture. A family without one here is drawn as its
# docstring calls it; `custom` and `cyclic` take a function, so they have no text.
CALLS = (
    "constant(1.0)",
    "linear(1.0, 0.0, 400)",
    "polynomial(1.0, 0.0, 3.0, 400)",
    "exponential(1.0, 0.01, transition_steps=400)",
    "natural_exponential(1.0, 0.01)",
    "inverse_time(1.0, 0.02)",
    "time_based(1.0, 0.00005)",
    "inverse_sqrt(1.0, timescale=40)",
    "power(1.0, -0.5, timescale=40)",
    "step_decay(1.0, 0.5, 100)",
    "multi_step(1.0, [200, 300], 0.1)",
    "piecewise_constant([0.3, 1.0, 0.5], [80, 240])",
    "table([0.2, 0.6, 0.4, 1.0, 0.8, 0.1])",
    "cosine(1.0, 400)",
    "cosine_restarts(1.0, 57, t_mul=2)",
    "k_decay(1.0, 400, k=2.0)",
    "tanh(1.0, 400)",
    "rex(1.0, 400)",
    "flat_cosine(1.0, 400)",
    "triangular(0.1, 1.0, 50)",
    "triangular2(0.1, 1.0, 50)",
    "exp_range(0.1, 1.0, 50, 0.995)",
    "one_cycle(1.0, 400)",
    "one_cycle_momentum(400)",
    "slanted_triangular(1.0, 400)",
    "warmup_stable_decay(1.0, 60, 220, 120)",
    "warmup(cosine(1.0, 320), 80)",
    "cooldown(inverse_sqrt(1.0, timescale=100), 300, 100)",
    "noam(512, 80)",
    "polynomial_cycles(1.0, 0.0, 1.0, 100)",
    "with_restarts(linear(1.0, 0.2, 100), 100, m_mul=0.7)",
    "at_speed(cosine(1.0, 800), 2.0)",
    "join([linear(0.0, 1.0, 100), cosine(1.0, 300)], [100])",
    "per_example(cosine(1.0, 6400), {0: 8, 1600: 32}, scale='sqrt')",
    "per_epoch(step_decay(1.0, 0.5, 1), 80)",
    "cosine(1.0, 100).repeat(100)",
    "cosine(1.0, 400) * triangular(0.5, 1.0, 20)",
)
COLUMNS = 5


def examples():
    """The calls of the families that `CALLS` lacks."""
    shown = {text.split("(")[0] for text in CALLS} | {"custom", "cyclic"}
    return [example(name) for name in sorted(FAMILIES.keys() - shown)]


def example(name):
    """The first call of a family in its docstring."""
    for each in doctest.DocTestParser().get_examples(FAMILIES[name].__doc__ or ""):
        for node in ast.walk(ast.parse(each.source)):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == name:
                return ast.unparse(node).removeprefix("jaxlr.")
    raise ValueError(f"no curve of {name}: its docstring needs an example that calls it")


def places(text, schedule):
    """The counts at which a call is drawn."""
    counts = np.arange(STEPS)
    if text in examples():
        return counts * schedule.span() // (STEPS - 1)
    # A recorded table has few rates: each is shown for a while.
    return counts // 80 if text.startswith("table") else counts


def draw():
    """The picture."""
    texts = [*CALLS, *examples()]
    with plotting.style():
        from matplotlib.figure import Figure

        rows = -(-len(texts) // COLUMNS)
        figure = Figure(figsize=(10.5, 1.42 * rows), layout="constrained")
        panels = figure.subplots(rows, COLUMNS).flat
        for axes, text in zip(panels, texts, strict=False):
            schedule = parse(text)
            axes.plot(np.arange(STEPS), schedule(places(text, schedule)), color=plotting.COLOURS[0], linewidth=1.6)
            axes.set_title(_name(text), fontsize=9.5)
            axes.set(xticks=[], yticks=[], ylim=(0, None))
            axes.margins(x=0.02)
        for axes in figure.axes[len(texts) :]:
            axes.remove()
    return figure


def _name(text: str) -> str:
    if text.endswith("repeat(100)"):
        return "schedule.repeat"
    return "schedule * schedule" if " * " in text else text.split("(")[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("schedules.png"))
    options = parser.parse_args()
    plotting.save_figure(draw(), options.out)


if __name__ == "__main__":
    main()
