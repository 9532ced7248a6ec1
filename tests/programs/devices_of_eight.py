"""Training on one, two and eight devices: run by test_devices.py in a process that starts with eight."""

import contextlib
import dataclasses
import re
import sys
from pathlib import Path

import jax
import numpy as np
from flax import nnx

import jaxlr
from jaxlr.training.data.datasets import load_dataset
from jaxlr.training.loop.items import Chunk
from jaxlr.training.loop.trainer import Trainer
from jaxlr.training.network.models import CNN
from jaxlr.training.runs.config import TrainConfig
from jaxlr.training.runs.run import Stopped, execute, prepare, resume, train

DIGITS = load_dataset("digits")


def train_on(devices, epochs=5, **options):
    """The losses of all updates, and the trainer after them; 20 updates in an epoch."""
    model = CNN((8, 8, 1), 10, width=8, depth=2, dense=16, dropout=0.25, rngs=nnx.Rngs(0))
    trainer = Trainer(model, jaxlr.adam(0.01), DIGITS, batch_size=64, devices=devices, **options)
    return np.concatenate([item.updates.loss for item in trainer.run(epochs) if isinstance(item, Chunk)]), trainer


def same(one, other):
    return all(map(np.array_equal, jax.tree.leaves(one.parameters), jax.tree.leaves(other.parameters)))


def collectives(trainer):
    """The kinds of communication between devices in the compiled program."""
    return set(re.findall(r" (all-\w+|collective-\w+|reduce-scatter)(?:-start)?\(", trainer._compiled.as_text()))


def moment_bytes(trainer):
    """On the first device, of all that has more than one number: what every device has, and what there is in all."""
    leaves = [leaf for leaf in jax.tree.leaves(trainer.state[1]) if leaf.size > 1]
    return sum(leaf.addressable_shards[0].data.nbytes for leaf in leaves), sum(leaf.nbytes for leaf in leaves)


def check_losses_and_moments(counts):
    alone, _ = train_on(1)
    assert len(alone) == 100
    for devices in counts:
        losses, trainer = train_on(devices)
        np.testing.assert_allclose(losses, alone, rtol=1e-5)
        assert collectives(trainer) == {"all-reduce"}
        shared_losses, shared = train_on(devices, zero=True, images_on="host")
        np.testing.assert_array_equal(shared_losses, losses)
        assert same(shared, trainer)
        own, whole = moment_bytes(shared)
        assert moment_bytes(trainer) == (whole, whole)
        # All is shared but the moments of the ten biases of the output, where eight devices cannot.
        kept = 0 if devices == 2 else 2 * 10 * 4
        assert own == (whole - kept) / devices + kept


def losses_of(folder):
    return [float(loss) for loss in re.findall(r'"loss": ([^,]+)', (folder / "metrics.jsonl").read_text())]


def check_resume(folder, counts):
    """A checkpoint of eight devices that share the moments goes on on fewer."""
    config = TrainConfig(width=2, depth=1, epochs=3, schedule="constant(0.01)", devices=8, zero=True)
    straight = train(config, out=folder / "straight")
    assert straight["device"]["used"] == 8
    for devices in counts:
        run = prepare(config, out=folder / str(devices))
        with contextlib.suppress(Stopped):
            execute(run, stop=lambda run=run: run.trainer.count >= 30)
        assert 30 <= run.trainer.count < 60
        other = dataclasses.replace(config, devices=devices, zero=devices == 2)
        assert execute(resume(folder / str(devices), other))["device"]["used"] == devices
        losses = losses_of(folder / str(devices))
        assert len(losses) == 60
        np.testing.assert_allclose(losses, losses_of(folder / "straight"), rtol=1e-5)


if __name__ == "__main__":
    assert jax.device_count() == 8
    form, folder = sys.argv[1:]
    check_losses_and_moments((2, 8) if form == "long" else (8,))
    check_resume(Path(folder), (1, 2) if form == "long" else (2,))
    print("all hold")
