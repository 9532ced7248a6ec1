"""What a run is said to need against what it takes, on some CPU devices: run by test_planning.py, each in a process.

    python tests/programs/memory_of_devices.py 8 [zero]

Prints the bytes planned for all devices together, and by how many the process grew at the highest.
"""

import ctypes
import gc
import sys
from pathlib import Path

import jax
import numpy as np

from jaxlr.training.data.splits import Dataset, Split
from jaxlr.training.loop.trainer import Trainer
from jaxlr.training.runs.config import TrainConfig
from jaxlr.training.runs.planning import plan
from jaxlr.training.runs.starting.assembly import make_model, make_optimizer

EXAMPLES, BATCH = 16384, 128


def dataset():
    dice = np.random.default_rng(0)

    def split(size):
        images = dice.random((size, 32, 32, 3), np.float32)
        return Split(images, (np.arange(size) % 10).astype(np.int32))

    return Dataset("noise", split(EXAMPLES), split(256), split(256), 10, "")


def resident(field):
    """VmRSS, what this process has in memory, or VmHWM, the most that it had, in bytes."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return 1024 * int(line.split()[1])


def taken(config, data):
    """The bytes that a run takes at the highest: what it places before its first update, and what comes on top.

    Compiling needs memory too, for a while, in between; that is no part of it.
    """
    before = settled()
    trainer = Trainer(
        make_model(config, data),
        make_optimizer(config, lambda count: 0.01 / (1 + 0.1 * count)),
        data,
        batch_size=BATCH,
        zero=config.zero,
        images_on=config.images_on,
    )
    placed = settled() - before
    items = trainer.run(epochs=2)
    next(items)  # compiles
    there = settled()
    Path("/proc/self/clear_refs").write_text("5")  # forgets the highest so far
    next(items)
    trainer.evaluate(data.validation)
    return placed + resident("VmHWM") - there


def settled():
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    return resident("VmRSS")


def main(devices, *words):
    jax.config.update("jax_num_cpu_devices", int(devices))
    # One block: convolutions of a second one, as matrix products, take memory that XLA's CPU backend does not know of.
    config = TrainConfig(batch_size=BATCH, width=64, depth=1, schedule="constant(0.01)", zero="zero" in words)
    data = dataset()
    planned = plan(config, f"cpu:{devices}", data=data)
    taken(config, data)  # what jax loads and keeps once is not the run's
    print(int(devices) * planned.peak, taken(config, data))


if __name__ == "__main__":
    main(*sys.argv[1:])
