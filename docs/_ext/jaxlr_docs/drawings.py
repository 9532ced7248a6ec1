"""What the pictures of the pages show. Every curve is computed by the package, every figure by a committed script."""

from __future__ import annotations

import contextlib
import importlib
import io
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from jaxlr_docs import calls


def _figure(panels: int = 1, *, height: float = 3.1, shares: Sequence[float] | None = None) -> Any:
    """A figure as wide as the text, and its axes, one under the other or side by side by `shares`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, height), layout="constrained")
    if panels == 1:
        return figure, figure.add_subplot()
    if shares is not None:
        return figure, figure.subplots(panels, 1, sharex=True, height_ratios=shares)
    return figure, figure.subplots(1, panels)


def _draw(axes: Any, curves: Mapping[str, Any], *, counts: np.ndarray | None = None) -> None:
    from jaxlr.plotting import COLOURS

    for index, (label, curve) in enumerate(curves.items()):
        values = np.asarray(curve(counts) if callable(curve) else curve, np.float64)
        at = np.arange(len(values)) if counts is None else counts
        axes.plot(at, values, color=COLOURS[index], label=label, linestyle=("-", "--", "-.", ":")[index % 4])
    axes.margins(x=0.01)
    if len(curves) > 1:
        _legend(axes)


def _legend(axes: Any) -> None:
    """What the lines are, under the picture."""
    columns = 2 if len(axes.get_legend_handles_labels()[0]) in (2, 4) else 1
    axes.figure.legend(loc="outside lower left", frameon=False, fontsize=10.5, ncols=columns)


def _rates(curves: Mapping[str, Any], steps: int, title: str, *, height: float = 3.1) -> Any:
    figure, axes = _figure(height=height)
    _draw(axes, curves, counts=np.arange(steps + 1))
    axes.set(title=title, xlabel="updates", ylim=(0.0, None))
    return figure


def _small(curves: Mapping[str, Callable[[np.ndarray], Any]], steps: Mapping[str, int], columns: int) -> Any:
    """Small curves under their names."""
    from jaxlr.plotting import COLOURS
    from matplotlib.figure import Figure

    rows = -(-len(curves) // columns)
    figure = Figure(figsize=(7.6, 1.25 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, (name, curve) in zip(grid.flat, curves.items(), strict=False):
        counts = np.linspace(0, steps[name], 300).round().astype(np.int64)
        axes.plot(counts, np.asarray(curve(counts), np.float64), color=COLOURS[0], linewidth=1.6)
        axes.set_title(name, fontsize=8.5 if len(name) < 24 else 6.5)
        axes.set(xticks=[], yticks=[], ylim=(0, None))
        axes.margins(x=0.02)
    for axes in list(grid.flat)[len(curves) :]:
        axes.remove()
    return figure


def start() -> Any:
    """Four schedules over 1,000 updates: a warm-up and a cosine, one cycle, a warm-up with a long stable part and a
    linear end, and triangles whose height halves."""
    import jaxlr

    return _rates(
        {
            "warmup(cosine(0.1, 900), 100)": jaxlr.warmup(jaxlr.cosine(0.1, 900), 100),
            "one_cycle(0.1, 1000)": jaxlr.one_cycle(0.1, 1000),
            "warmup_stable_decay(0.08, 100, 700, 200)": jaxlr.warmup_stable_decay(0.08, 100, 700, 200),
            "triangular2(0.01, 0.06, 125)": jaxlr.triangular2(0.01, 0.06, 125),
        },
        1000,
        "learning rate",
        height=3.6,
    )


def by_use() -> Any:
    """Nine small curves: the schedules of the table below, in its order."""
    import jaxlr
    from jaxlr import schedules

    curves = {
        "warmup + cosine": jaxlr.warmup(jaxlr.cosine(1.0, 360), 40),
        "warmup_stable_decay": jaxlr.warmup_stable_decay(1.0, 40, 280, 80),
        "one_cycle": jaxlr.one_cycle(1.0, 400),
        "warmup + inverse_sqrt": jaxlr.warmup(jaxlr.inverse_sqrt(1.0, timescale=40), 40),
        "multi_step": jaxlr.multi_step(1.0, [200, 300], 0.3),
        "linear to 0": jaxlr.linear(1.0, 0.0, 400),
        "triangular2": jaxlr.triangular2(0.1, 1.0, 50),
        "cosine_restarts": jaxlr.cosine_restarts(1.0, 57, t_mul=2),
        "rex": schedules.rex(1.0, 400),
    }
    return _small(curves, dict.fromkeys(curves, 400), 3)


def gallery() -> Any:
    """A small curve of every family of schedules."""
    names = calls.by_family()
    curves = {name: (lambda counts, text=text: calls.rates(text)[1][counts]) for name, text in names.items()}
    return _small(curves, dict.fromkeys(curves, calls.STEPS - 1), 5)


def _perceptron() -> tuple[Any, Any, Any]:
    """A small network, its loss and its batches."""
    import jax
    import jax.numpy as jnp

    keys = jax.random.split(jax.random.key(0), 4)
    params = {"in": 0.5 * jax.random.normal(keys[0], (8, 32)), "out": 0.3 * jax.random.normal(keys[1], (32, 1))}
    inputs = jax.random.normal(keys[2], (100, 64, 8))
    noise = 0.1 * jax.random.normal(keys[3], (100, 64, 1))

    def loss(params: Any, batch: Any) -> Any:
        x, y = batch
        return jnp.mean((jnp.tanh(x @ params["in"]) @ params["out"] - y) ** 2)

    return loss, params, (inputs, jnp.sin(inputs[..., :1]) + noise)


def range_test() -> Any:
    """A range test of a small network: the loss over rising rates, and the rate that it recommends."""
    import jaxlr

    return jaxlr.lr_range_test(*_perceptron(), optimizer=jaxlr.adam, start=1e-5).plot()


def training() -> Any:
    """A small network trained under one cycle: above the rate of every update, below the loss."""
    import jax
    import jax.numpy as jnp
    import jaxlr
    import optax
    from jaxlr.plotting import COLOURS

    loss, params, batches = _perceptron()
    optimizer = jaxlr.adam(jaxlr.one_cycle(0.03, 300))

    def update(carry: Any, count: Any) -> Any:
        params, state = carry
        value, gradient = jax.value_and_grad(loss)(params, jax.tree.map(lambda a: a[count % 100], batches))
        updates, state = optimizer.update(gradient, state, params)
        return (optax.apply_updates(params, updates), state), (jaxlr.current_learning_rate(state), value)

    _, (rates, losses) = jax.lax.scan(update, (params, optimizer.init(params)), jnp.arange(300))
    figure, (upper, lower) = _figure(2, height=3.8, shares=(1, 1))
    upper.plot(rates, color=COLOURS[0])
    upper.set(title="learning rate", ylim=(0, None))
    lower.plot(losses, color=COLOURS[1], linewidth=1.4)
    lower.set(title="loss", xlabel="updates", yscale="log")
    lower.margins(x=0.01)
    return figure


def branching() -> Any:
    """One trunk at a constant rate behind a warm-up, and three cooldowns that leave it at 320, 640 and 1,280."""
    import jaxlr
    from jaxlr.plotting import COLOURS

    trunk = jaxlr.warmup(jaxlr.constant(0.01), 60)
    figure, axes = _figure()
    counts = np.arange(1281)
    axes.plot(counts, np.asarray(trunk(counts)), color=COLOURS[0], label="trunk")
    for index, budget in enumerate((400, 800, 1600)):
        length = budget // 5
        cooled = jaxlr.cooldown(trunk, at=budget - length, steps=length, shape="1-sqrt")
        at = np.arange(budget - length, budget + 1)
        axes.plot(at, np.asarray(cooled(at)), color=COLOURS[1], label="cooldowns" if index == 0 else None)
        axes.annotate(f"{budget}", (budget, 0), (0, 6), textcoords="offset points", fontsize=10, ha="left")
    axes.set(title="learning rate of three trainings", xlabel="updates", ylim=(0, None))
    _legend(axes)
    axes.margins(x=0.04)
    return figure


def cooldown_shapes() -> Any:
    """Four shapes of a cooldown, from update 60 to 100."""
    import jaxlr

    base = jaxlr.constant(1.0)
    return _rates(
        {
            shape: jaxlr.cooldown(base, at=60, steps=40, shape=shape, end_value=0.01)
            for shape in ("linear", "1-sqrt", "cosine", "exponential")
        },
        100,
        "learning rate",
    )


def group_rates() -> Any:
    """The rates of four groups of one network: each layer 0.6 times the next, the head a cosine of its own."""
    import jaxlr

    base = jaxlr.warmup(jaxlr.cosine(0.01, 900), 100)
    factors = jaxlr.layerwise_rates(0.6, ["block 0", "block 1", "block 2", "block 3"])
    return _rates({f"{name}, x {factor:.3g}": factor * base for name, factor in factors.items()}, 1000, "learning rate")


def accumulation() -> Any:
    """The recorded rate over micro-steps, four to an update: the schedule moves once in four."""
    import jaxlr

    schedule = jaxlr.warmup(jaxlr.cosine(0.1, 12), 4)
    micro = np.arange(65)
    figure, axes = _figure()
    from jaxlr.plotting import COLOURS

    axes.step(micro, np.asarray(schedule(micro // 4)), where="post", color=COLOURS[0])
    axes.set(title="learning rate, four micro-steps to an update", xlabel="micro-steps", ylim=(0, None))
    axes.margins(x=0.01)
    return figure


def rules() -> Any:
    """A validation loss that falls and stops falling, and the rates that reduce_on_plateau and greedy make of it."""
    import jax.numpy as jnp
    import jaxlr
    from jaxlr.plotting import COLOURS

    noise = np.random.default_rng(3).normal(0.0, 0.01, 60)
    metric = np.concatenate([np.linspace(2.0, 1.0, 20), np.full(40, 1.0)]) + noise
    links = {
        "reduce_on_plateau": jaxlr.reduce_on_plateau(0.1, factor=0.5, patience=4),
        "greedy": jaxlr.greedy(0.1, factor=0.8, patience=3, min_lr=0.01, max_lr=0.4, threshold=0.01),
    }
    figure, (upper, lower) = _figure(2, height=3.9, shares=(1, 1.2))
    upper.plot(metric, color=COLOURS[6], linewidth=1.4)
    upper.set(title="metric")
    for index, (name, rule) in enumerate(links.items()):
        link = jaxlr.scale_by_learning_rate(rule)
        state, rates = link.init(jnp.zeros(1)), []
        for value in metric:
            _, state = link.update(jnp.ones(1), jaxlr.observe(state, value))
            rates.append(float(jaxlr.current_learning_rate(state)))
        lower.step(np.arange(60), rates, where="post", color=COLOURS[index], label=name, linestyle=("-", "--")[index])
    lower.set(title="learning rate", xlabel="observations", ylim=(0, None))
    _legend(lower)
    lower.margins(x=0.01)
    return figure


def changes() -> Any:
    """A cosine of 1,000 updates whose horizon becomes 2,000 at update 600: replace jumps, retime goes on."""
    import jaxlr

    old = jaxlr.cosine(0.1, 1000)
    counts = np.arange(2001)
    figure, axes = _figure()
    from jaxlr.plotting import COLOURS

    axes.plot(counts[:1001], old(counts[:1001]), color=COLOURS[6], linestyle=":", label="cosine(0.1, 1000)")
    later = counts[600:]
    for index, (label, new) in enumerate(
        {
            "replace(decay_steps=2000): jumps": old.replace(decay_steps=2000),
            'retime(..., keep="rate")': jaxlr.retime(old, 600, decay_steps=2000),
            'retime(..., keep="phase")': jaxlr.retime(old, 600, keep="phase", decay_steps=2000),
        }.items()
    ):
        axes.plot(later, new(later), color=COLOURS[index], label=label, linestyle=("--", "-", "-.")[index])
    axes.set(title="learning rate, another horizon from update 600 on", xlabel="updates", ylim=(0, None))
    _legend(axes)
    axes.margins(x=0.01)
    return figure


def set_by_hand() -> Any:
    """The recorded rate of a run in which the rate is set to 0.02 at update 40, and given back at update 70."""
    import jax.numpy as jnp
    import jaxlr
    from jaxlr.plotting import COLOURS

    schedule = jaxlr.cosine(0.1, 100)
    link = jaxlr.scale_by_learning_rate(schedule)
    state, rates = link.init(jnp.zeros(1)), []
    for count in range(100):
        if count in (40, 70):
            state = jaxlr.set_learning_rate(state, 0.02 if count == 40 else None)
        _, state = link.update(jnp.ones(1), state)
        rates.append(float(jaxlr.current_learning_rate(state)))
    figure, axes = _figure()
    axes.plot(schedule(np.arange(100)), color=COLOURS[6], linestyle=":", label="the schedule")
    axes.plot(rates, color=COLOURS[0], label="the recorded rate")
    axes.set(title="learning rate", xlabel="updates", ylim=(0, None))
    _legend(axes)
    axes.margins(x=0.01)
    return figure


def resumed() -> Any:
    """A run of 1,000 updates saved at 700 and resumed for 1,500 in all: the rate goes on where it was."""
    import jaxlr
    from jaxlr.plotting import COLOURS

    old = jaxlr.warmup(jaxlr.cosine(0.1, 900), 100)
    new = jaxlr.retime(old, 700, decay_steps=1400)
    figure, axes = _figure()
    axes.plot(np.arange(701), old(np.arange(701)), color=COLOURS[0], label="first run")
    rest = np.arange(700, 1001)
    axes.plot(rest, old(rest), color=COLOURS[6], linestyle=":", label="as it was planned")
    on = np.arange(700, 1501)
    axes.plot(on, new(on), color=COLOURS[1], label="resumed with a longer horizon")
    axes.axvline(700, color=COLOURS[6], linewidth=0.8)
    axes.set(title="learning rate", xlabel="updates", ylim=(0, None))
    _legend(axes)
    axes.margins(x=0.01)
    return figure


def batch_sizes() -> Any:
    """The rate for more devices: proportional to the batch, or to its root."""
    import jaxlr

    devices = np.array([1, 2, 4, 8, 16, 32])
    figure, axes = _figure()
    _draw(
        axes,
        {
            f'rule="{rule}"': [jaxlr.scale_lr(0.1, int(256 * each), rule=rule) for each in devices]
            for rule in ("linear", "sqrt")
        },
        counts=devices,
    )
    axes.set(title="scale_lr(0.1, 256 * devices)", xlabel="devices", xticks=devices)
    return figure


def _table(file: str, heading: str) -> list[list[str]]:
    """The rows of the table of a committed result whose header contains a text."""
    lines = (calls.ROOT / "benchmarks/results" / file).read_text().splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("|") and heading in line)
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def _bars(labels: Sequence[str], values: Sequence[float], title: str, xlabel: str, *, form: str = "{:g}") -> Any:
    from jaxlr.plotting import COLOURS

    figure, axes = _figure(height=0.9 + 0.42 * len(labels))
    at = np.arange(len(labels))[::-1]
    bars = axes.barh(at, values, color=COLOURS[0], height=0.62)
    axes.bar_label(bars, [form.format(value) for value in values], padding=4, fontsize=10.5)
    axes.set(title=title, xlabel=xlabel, yticks=at, yticklabels=labels)
    axes.grid(False, axis="y")
    axes.margins(x=0.12)
    return figure


def memory() -> Any:
    """What the trainer's update takes on each device, as the compilers of TPU and GPU say without the device."""
    rows = _table("accelerators.md", "the trainer")
    return _bars(
        [row[0] for row in rows],
        [float(row[-1]) for row in rows],
        "peak memory a device, the trainer on the digits",
        "MB, benchmarks/results/accelerators.md",
    )


def speeds() -> Any:
    """Images a second of four training loops on a CPU."""
    text = (calls.ROOT / "benchmarks/results/training_cpu.md").read_text()
    rows = re.findall(r"^(jaxlr|flax|torch contiguous|torch channels_last) +([\d,]+) ", text, re.MULTILINE)
    return _bars(
        [name for name, _ in rows],
        [float(value.replace(",", "")) for _, value in rows],
        "images a second, Fashion-MNIST, two cores",
        "benchmarks/results/training_cpu.md",
        form="{:,.0f}",
    )


def usable() -> Any:
    """How often the answer of a range test is a usable constant rate, for jaxlr and other finders."""
    rows = _table("finder_cpu.md", "rule")
    return _bars(
        [row[0] for row in rows],
        [float(row[1]) for row in rows],
        "usable as a constant rate",
        "% of the tests, benchmarks/results/finder_cpu.md",
        form="{:.1f}",
    )


def _page_names(page: str) -> dict[str, Any]:
    """What the code blocks of a page leave behind."""
    names: dict[str, Any] = {}
    for block in re.findall(
        r"^```python\n(.*?)^```", (calls.ROOT / "docs" / page).read_text(), re.DOTALL | re.MULTILINE
    ):
        with (
            tempfile.TemporaryDirectory() as folder,
            contextlib.chdir(folder),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            exec(compile(block, page, "exec"), names)
    return names


def policies() -> Any:
    """The program of this page: above the rates of the agents over their iterations, below their mean rewards."""
    from jaxlr.plotting import COLOURS

    names = _page_names("reinforcement_learning.md")
    rates, rewards, settings = np.asarray(names["rates"]), np.asarray(names["rewards"]), names["settings"]
    figure, (upper, lower) = _figure(2, height=4.0, shares=(1, 1))
    for index in range(len(rates)):
        label = ", ".join(f"{name} {values[index]:g}" for name, values in settings.items())
        line = {"color": COLOURS[index], "linestyle": ("-", "--", "-.")[index]}
        upper.plot(rates[index].mean(0), label=label, **line)
        lower.plot(rewards[index].mean(0), **line)
    upper.set(title="learning rate, mean over the seeds", ylim=(0, None))
    _legend(upper)
    lower.set(title="mean reward", xlabel="iterations")
    lower.margins(x=0.01)
    return figure


def keras_curves() -> Any:
    """Three schedules of Keras over 400 updates."""
    from jaxlr.dialects import keras

    return _rates(
        {
            "CosineDecay, warm-up": keras.CosineDecay(0.0, 320, warmup_target=0.1, warmup_steps=80),
            "CosineDecayRestarts": keras.CosineDecayRestarts(0.1, 80, m_mul=0.8),
            "PolynomialDecay, cycle": keras.PolynomialDecay(0.1, 100, 0.01, cycle=True),
        },
        400,
        "learning rate",
    )


def torch_curves() -> Any:
    """The recipe of this page: a linear warm-up of 100 updates, then a cosine of 900."""
    from jaxlr.dialects import torch

    warm = torch.LinearLR(0.1, start_factor=0.01, total_iters=100)
    return _rates(
        {
            "SequentialLR(LinearLR, CosineAnnealingLR)": torch.SequentialLR(
                [warm, torch.CosineAnnealingLR(0.1, T_max=900)], [100]
            ),
            "OneCycleLR": torch.OneCycleLR(0.1, max_lr=0.1, total_steps=1000),
        },
        1000,
        "learning rate",
    )


def _error(curve: Callable[[Any], Any], exact: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Distance in units in the last place of float32."""
    values = np.asarray(curve(counts), np.float32)
    return np.abs(values.astype(np.float64) - exact) / np.spacing(exact.astype(np.float32)).astype(np.float64)


def exactness() -> Any:
    """The error of a compiled exponential decay over the counts, in units in the last place: jaxlr's stays below 1."""
    import jax
    import jax.numpy as jnp
    import jaxlr
    import optax
    from jaxlr.plotting import COLOURS

    counts = np.unique(np.geomspace(1, 1_000_000, 600).astype(np.int64))
    exact = 0.1 * np.exp(counts / 1.0 * np.log(0.99999))
    figure, axes = _figure()
    ours = jaxlr.exponential(0.1, 0.99999)
    theirs = optax.exponential_decay(0.1, 1, 0.99999)
    for index, (label, curve) in enumerate({"optax.exponential_decay": theirs, "jaxlr.exponential": ours}.items()):
        errors = _error(lambda n, curve=curve: jax.jit(curve)(jnp.asarray(n, jnp.int32)), exact, counts)
        axes.plot(counts, np.maximum(errors, 0.01), color=COLOURS[1 - index], label=label, linewidth=1.6)
    axes.set(title="error in units in the last place", xlabel="updates", xscale="log", yscale="log")
    _legend(axes)
    axes.margins(x=0.01)
    return figure


def small_moments() -> Any:
    """A mean square, b2 = 0.999, whose input drops at update 500: bfloat16 stands still, float32 follows."""
    import jax.numpy as jnp
    from jax import lax

    def follow(dtype: Any) -> Any:
        def step(v: Any, n: Any) -> Any:
            g = jnp.where(n < 500, 1.0, 0.2).astype(dtype)
            v = (0.999 * v + jnp.asarray(0.001, dtype) * g * g).astype(dtype)
            return v, v

        return np.asarray(lax.scan(step, jnp.ones([], dtype), jnp.arange(3000))[1].astype(jnp.float32))

    figure, axes = _figure()
    _draw(axes, {"float32": follow(jnp.float32), "bfloat16": follow(jnp.bfloat16)})
    axes.set(title="mean square of the gradient, b2 = 0.999", xlabel="updates", ylim=(0, None))
    return figure


def infinite() -> Any:
    """An infinite schedule with its annealing, and WSD-S with a period of 1,000 updates."""
    import jaxlr

    falling = jaxlr.warmup(jaxlr.cosine(3e-3, 900, end_value=1e-3), 100)
    annealed = jaxlr.cooldown(falling, at=4_000, steps=500, shape="exponential", end_value=1e-5)
    period = jaxlr.cooldown(jaxlr.constant(2e-3), at=900, steps=100, end_value=2e-4)
    return _rates(
        {"infinite, annealed at 4,000": annealed, "WSD-S": jaxlr.warmup(period.repeat(1_000), 50)},
        4500,
        "learning rate",
    )


def ported() -> Any:
    """The schedule of the Megatron-LM arguments of this page: a warm-up, then a cosine down to the smallest rate."""
    schedule = _page_names("dialects.md")["schedule"]
    figure, axes = _figure()
    _draw(axes, {"": schedule}, counts=np.arange(schedule.span() + 200))
    axes.set(title="learning rate", xlabel="updates", ylim=(0.0, None))
    return figure


def rooms() -> Any:
    """The rooms of the package, lowest first: a room imports from those below it alone."""
    from jaxlr.plotting import COLOURS

    names = ["numerics", "schedules", "plotting", "transforms", "optimizers", "dialects", "search", "training", "cli"]
    figure, axes = _figure(height=3.6)
    for index, name in enumerate(names):
        axes.barh(index, 1.0, height=0.78, color=COLOURS[0], alpha=0.35 + 0.06 * index)
        axes.text(0.5, index, name, ha="center", va="center", fontsize=12)
    axes.annotate("", (1.06, -0.3), (1.06, len(names) - 0.7), arrowprops={"arrowstyle": "->", "color": COLOURS[1]})
    axes.text(1.09, len(names) / 2 - 0.5, "imports", rotation=270, va="center", fontsize=11)
    axes.set(xlim=(0, 1.2))
    axes.axis("off")
    return figure


def of_dialect(framework: str) -> Callable[[], Any] | None:
    """A drawing of a framework's schedules, each called as the example in its docstring calls it."""
    import inspect

    from jaxlr import Schedule

    module = importlib.import_module(f"jaxlr.dialects.{framework}")
    found: dict[str, Any] = {}
    for name in module.__all__:
        thing = getattr(module, name)
        if not inspect.isfunction(thing):
            continue
        for call in re.findall(rf">>> (?:\w+ = )?((?:\w+\.)*{name}\(.*\))$", inspect.getdoc(thing) or "", re.MULTILINE):
            try:
                made = eval(call, {**vars(module), framework: module, name: thing})  # our own docstrings
            except (NameError, SyntaxError, TypeError, ValueError, AttributeError):
                continue
            if isinstance(made, Schedule):
                found.setdefault(name, made)
    if not found:
        return None
    spans = {name: max(int(schedule.span() or 10), 2) for name, schedule in found.items()}
    return lambda: _small(found, spans, 4)


def errors() -> Any:
    """The classes of jaxlr's errors under the built-in ones that they are."""
    from jaxlr import errors as module
    from jaxlr.plotting import COLOURS

    names = list(module.__all__)
    bases = sorted({_built_in(getattr(module, name)) for name in names})
    figure, axes = _figure(height=0.5 + 0.36 * (len(names) + len(bases)))
    row = 0.0
    for base in bases:
        axes.text(0.0, -row, base, fontsize=12.5, fontweight="bold", color=COLOURS[0], va="center")
        row += 1.0
        for name in names:
            if _built_in(getattr(module, name)) == base:
                axes.plot([0.01, 0.01, 0.035], [-row + 0.6, -row, -row], color=COLOURS[6], linewidth=1.0)
                axes.text(0.045, -row, name, fontsize=12.5, va="center")
                row += 1.0
    axes.set(xlim=(-0.01, 1), ylim=(-row + 0.4, 0.6))
    axes.axis("off")
    return figure


def _built_in(error: type) -> str:
    return next(each.__name__ for each in error.__mro__ if each.__module__ == "builtins")


def batches_of_rates() -> Any:
    """Three one-cycle schedules that are one object: its peak is an array of three numbers."""
    import jax
    import jax.numpy as jnp
    import jaxlr

    peaks = jnp.array([0.1, 0.3, 1.0])
    schedules = jax.vmap(lambda peak: jaxlr.one_cycle(peak, total_steps=1000))(peaks)
    rates = jax.vmap(lambda schedule: schedule(jnp.arange(1001)))(schedules)
    curves = {f"peak {float(peak):g}": curve for peak, curve in zip(peaks, np.asarray(rates), strict=True)}
    figure, axes = _figure()
    _draw(axes, curves)
    axes.set(title="learning rate", xlabel="updates", ylim=(0, None))
    return figure
