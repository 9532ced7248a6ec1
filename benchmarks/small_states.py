"""Loss, bytes and step time of small states against float32 states: the CNN and a small transformer.

    python benchmarks/small_states.py [--networks cnn transformer] [--updates 200 2000] [--seeds 3]

The CNN of `jaxlr train` on the digits, a fifth of whose labels are drawn anew each time, so that no loss comes near 0
and a percent of it means something; and a decoder of two layers that learns the source of Python's own `argparse`,
`inspect` and `typing`, letter by letter; AdamW under a warm-up and a cosine. The loss is the mean over the last tenth
of the updates.
"""

from __future__ import annotations

import argparse
import inspect
import platform
import time
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

import jaxlr
from jaxlr.training.data.datasets import load_dataset
from jaxlr.training.network.convolution import compiler_options
from jaxlr.training.network.models import CNN

LETTERS = 128

WAYS: dict[str, Callable[[Any], Any]] = {
    "float32": lambda optimizer: optimizer,
    "bfloat16": lambda optimizer: jaxlr.small_states(optimizer, "bfloat16", least_size=256),
    "int8": lambda optimizer: jaxlr.small_states(optimizer, "int8", least_size=256),
}


def cnn(seed: int) -> tuple[Any, Callable[..., jax.Array]]:
    train = load_dataset("digits").train
    images, labels = jnp.asarray(np.asarray(train.images)), jnp.asarray(train.labels)
    graph, params, rest = nnx.split(CNN(images.shape[1:], 10, width=8, depth=2, rngs=nnx.Rngs(seed)), nnx.Param, ...)

    rest = nnx.to_pure_dict(rest)

    def loss(params, key):
        chosen, which, other = jax.random.split(key, 3)
        rows = jax.random.randint(chosen, (64,), 0, len(labels))
        outputs = nnx.merge(graph, params, rest)(images[rows])
        wrong = jax.random.uniform(which, (64,)) < 0.2
        targets = jnp.where(wrong, jax.random.randint(other, (64,), 0, 10), labels[rows])
        return optax.softmax_cross_entropy_with_integer_labels(outputs, targets).mean()

    return nnx.to_pure_dict(params), loss


def transformer(seed: int, width: int = 64, layers: int = 2, length: int = 48) -> tuple[Any, Callable[..., jax.Array]]:
    keys = iter(jax.random.split(jax.random.key(seed), 6 * layers + 3))

    def dense(*shape):
        return jax.random.normal(next(keys), shape) / shape[0] ** 0.5

    params = {"embed": dense(LETTERS, width), "place": 0.1 * dense(length, width), "head": dense(width, LETTERS)}
    for layer in range(layers):
        params[f"layer{layer}"] = {
            "query": dense(width, width),
            "key": dense(width, width),
            "value": dense(width, width),
            "back": dense(width, width),
            "up": dense(width, 4 * width),
            "down": dense(4 * width, width),
        }

    def normed(x):
        return x * jax.lax.rsqrt(jnp.mean(x**2, axis=-1, keepdims=True) + 1e-6)

    def outputs(params, text):
        x = params["embed"][text] + params["place"]
        mask = jnp.tril(jnp.ones((length, length), bool))
        for layer in range(layers):
            p, y = params[f"layer{layer}"], normed(x)
            scores = (y @ p["query"]) @ (y @ p["key"]).swapaxes(-1, -2) / width**0.5
            x += jax.nn.softmax(jnp.where(mask, scores, -1e9)) @ (y @ p["value"]) @ p["back"]
            x += jax.nn.gelu(normed(x) @ p["up"]) @ p["down"]
        return normed(x) @ params["head"]

    source = b"".join(Path(module.__file__).read_bytes() for module in (argparse, inspect, typing))
    letters = jnp.asarray(np.frombuffer(source, np.uint8) % LETTERS, jnp.int32)

    def texts(key):
        """Excerpts of the source."""
        places = jax.random.randint(key, (32, 1), 0, len(letters) - length - 1)
        return letters[places + jnp.arange(length + 1)]

    def loss(params, key):
        text = texts(key)
        logits = outputs(params, text[:, :-1])
        return optax.softmax_cross_entropy_with_integer_labels(logits, text[:, 1:]).mean()

    return params, loss


NETWORKS = {"cnn": cnn, "transformer": transformer}


def train(params: Any, loss: Callable[..., jax.Array], optimizer: Any, updates: int, seed: int) -> tuple[float, float]:
    """The loss of the last tenth, and seconds a step."""

    def step(carry, key):
        params, state = carry
        value, gradients = jax.value_and_grad(loss)(params, key)
        steps, state = optimizer.update(gradients, state, params)
        return (optax.apply_updates(params, steps), state), value

    run = jax.jit(lambda carry, keys: jax.lax.scan(step, carry, keys)[1], compiler_options=compiler_options())
    keys = jax.random.split(jax.random.key(100 + seed), updates)
    carry = (params, optimizer.init(params))
    compiled = run.lower(carry, keys).compile()
    started = time.perf_counter()
    curve = np.asarray(compiled(carry, keys))
    return float(curve[-updates // 10 :].mean()), (time.perf_counter() - started) / updates


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--networks", nargs="+", default=["cnn", "transformer"])
    parser.add_argument("--updates", type=int, nargs="+", default=[200, 2000])
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    for network in (NETWORKS[name] for name in options.networks):
        lines = [
            f"# Small states: the {network.__name__}",
            "",
            f"`python benchmarks/small_states.py` with {vars(options)}: jax {jax.__version__}, "
            f"Python {platform.python_version()}, {platform.machine()}. "
            "AdamW. Bytes are of the optimizer's state; weights and gradients in float32 add 8.",
            "",
            "| network | updates | moments | bytes a parameter | loss, mean over seeds | against float32, by seed | "
            "ms a step, least |",
            "| --- | --- | --- | --- | --- | --- | --- |",
        ]
        for updates in options.updates:
            rate = jaxlr.warmup(jaxlr.cosine(0.003, updates - updates // 10), updates // 10)
            results: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
            sizes: dict[str, float] = {}
            for seed in range(options.seeds):
                for way, wrap in WAYS.items():  # in turns: processors change their speed between minutes
                    params, loss = network(seed)
                    optimizer = wrap(jaxlr.adamw(rate))
                    many = sum(leaf.size for leaf in jax.tree.leaves(params))
                    sizes[way] = jaxlr.state_bytes(optimizer.init(params)) / many
                    results[way].append(train(params, loss, optimizer, updates, seed))
            losses = {way: np.array([each[0] for each in found]) for way, found in results.items()}
            for way, found in results.items():
                ratios = losses[way] / losses["float32"] - 1
                spread = f" ± {ratios.std(ddof=1):.2%}" if len(ratios) > 1 else ""
                lines.append(
                    f"| {network.__name__} | {updates:,} | {way} | {sizes[way]:.2f} | {losses[way].mean():.4f} | "
                    f"{ratios.mean():+.2%}{spread} | {1e3 * min(each[1] for each in found):.2f} |"
                )
                print(lines[-1], flush=True)
        path = Path(__file__).parent / "results" / f"small_states_{network.__name__}_cpu.md"
        path.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
