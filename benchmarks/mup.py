"""The best peak rate over widths, with muP's factors and without.

    python benchmarks/mup.py [--widths 64 128 256 512 1024] [--updates 150]

A perceptron of three layers on the digits, Adam under a linear decay; every peak rate of a grid of powers of 2 at every
width. The best rate is that with the least mean loss over the last tenth of the updates, over the seeds.
"""

from __future__ import annotations

import argparse
import platform
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxlr
from jaxlr.training.data.datasets import load_dataset

BASE, BATCH = 64, 64
RATES = [2.0**-k for k in range(4, 13)]


def initial(width: int, key: jax.Array) -> dict[str, jax.Array]:
    """Weights of variance 1 / fan_in."""
    shapes = {"in": (64, width), "mid": (width, width), "out": (width, 10)}
    keys = dict(zip(shapes, jax.random.split(key, 3), strict=True))
    return {name: jax.random.normal(keys[name], shape) / shape[0] ** 0.5 for name, shape in shapes.items()}


def losses(width: int, mup: bool, updates: int, seeds: int) -> np.ndarray:
    """The loss at the end for each rate."""
    train = load_dataset("digits").train
    images = jnp.asarray(np.asarray(train.images), jnp.float32).reshape(len(train), -1)
    images, labels = (images - images.mean()) / images.std(), jnp.asarray(train.labels)
    base = jax.eval_shape(lambda: initial(BASE, jax.random.key(0)))

    def loss_of(params, rows):
        hidden = jax.nn.relu(jax.nn.relu(images[rows] @ params["in"]) @ params["mid"])
        return optax.softmax_cross_entropy_with_integer_labels(hidden @ params["out"], labels[rows]).mean()

    @jax.jit
    def run(rate, key):
        params = initial(width, key)
        optimizer = jaxlr.adam(jaxlr.linear(rate, 0.0, updates))
        if mup:
            factors = jaxlr.mup_factors(base, params)
            params, optimizer = factors.scaled(params), factors.groups().wrap(optimizer)

        def step(carry, key):
            params, state = carry
            rows = jax.random.randint(key, (BATCH,), 0, len(labels))
            loss, gradients = jax.value_and_grad(loss_of)(params, rows)
            steps, state = optimizer.update(gradients, state, params)
            return (optax.apply_updates(params, steps), state), loss

        keys = jax.random.split(jax.random.fold_in(key, 1), updates)
        curve = jax.lax.scan(step, (params, optimizer.init(params)), keys)[1]
        return curve[-updates // 10 :].mean()

    return np.array([np.mean([run(rate, jax.random.key(seed)) for seed in range(seeds)]) for rate in RATES])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--widths", type=int, nargs="+", default=[64, 128, 256, 512, 1024])
    parser.add_argument("--updates", type=int, default=150)
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    lines = [
        "# The best peak rate over widths",
        "",
        f"`python benchmarks/mup.py` with {vars(options)}: jax {jax.__version__}, {platform.machine()}. Digits, three "
        f"layers, Adam; base width {BASE}; the loss of the last tenth of the updates at the best of {len(RATES)} rates "
        "from 2^-12 to 2^-4.",
        "",
        "| width | best rate with muP | its loss | best rate without | its loss |",
        "| --- | --- | --- | --- | --- |",
    ]
    best: dict[bool, list[float]] = {True: [], False: []}
    for width in options.widths:
        cells = [str(width)]
        for mup in (True, False):
            found = np.nan_to_num(losses(width, mup, options.updates, options.seeds), nan=np.inf)
            best[mup].append(RATES[int(found.argmin())])
            cells += [f"2^{np.log2(best[mup][-1]):.0f}", f"{found.min():.4f}"]
        lines.append(f"| {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    spread = {mup: max(rates) / min(rates) for mup, rates in best.items()}
    lines += ["", f"Best rates differ by a factor of {spread[True]:g} with muP, of {spread[False]:g} without."]
    text = "\n".join(lines) + "\n"
    print(text)
    (Path(__file__).parent / "results" / "mup_cpu.md").write_text(text)


if __name__ == "__main__":
    main()
