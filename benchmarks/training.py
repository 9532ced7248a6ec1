"""Images a second of jaxlr's trainer, of a plain Flax loop and of torch, on the same network, batch and data.

    python benchmarks/training.py --data-dir FOLDER [--torch-python PYTHON]
    python benchmarks/training.py --data-dir FOLDER --ways

The network: two blocks of 3x3 convolution without bias, batch normalization, relu and 2x2 max-pooling, then dense(128),
relu, dropout(0.5), dense(10); Adam at 0.001, cross-entropy, float32. The data: Fashion-MNIST from --data-dir or the
system's package, or synthetic images of that shape. Who takes part:

- jaxlr: `Trainer.run`, as `jaxlr train` uses it.
- flax: nnx as its documentation writes it: a jitted step in a Python loop, batches from NumPy arrays, nnx.Conv,
  nnx.BatchNorm, nnx.max_pool, nnx.Optimizer with optax.adam.
- torch: eager, fused Adam, in both memory layouts; the faster one counts.

With --ways jaxlr runs against itself: as above, with the images streamed from a mapped file ("streamed"), and as
`jaxlr train` with a checkpoint every 50 updates, metrics.jsonl and an event file of TensorBoard ("saving").

Each run is a process of its own on two cores, the runs of all take turns, and the median counts. Compilation and, of
flax and torch, the first updates are left out of the time, and all wait for the last result. Torch may live in another
environment.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

WARM_UP = 5  # updates
TORCH_LAYOUTS = ("contiguous", "channels_last")
CONTENDERS = ("jaxlr", "flax", *(f"torch {layout}" for layout in TORCH_LAYOUTS))
WAYS = ("jaxlr", "jaxlr streamed", "jaxlr saving")


def main() -> None:
    options = parse_options()
    if options.contender:
        print(json.dumps(run_contender(options)))
        return
    images, labels, data_name = load_images(options)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.npz"
        np.savez(path, images=images, labels=labels)
        contenders = [name for name in (WAYS if options.ways else CONTENDERS) if is_there(name, options)]
        print(f"{data_name}: {len(labels):,} images, batches of {options.batch_size}, width {options.width}")
        print(
            f"{cpu_name()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}"
        )
        results: dict[str, list[dict[str, Any]]] = {name: [] for name in contenders}
        for run in range(options.runs):
            for name in contenders:
                results[name].append(start_contender(name, path, options))
            rates = ", ".join(f"{name} {results[name][-1]['images_per_second']:,.0f}" for name in contenders)
            print(f"run {run + 1}: {rates}", flush=True)
    (print_ways if options.ways else print_table)(results)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, help="folder with the Fashion-MNIST IDX files")
    parser.add_argument("--synthetic", action="store_true", help="random images, for a machine without the files")
    parser.add_argument("--images", type=int, default=12_800, help="images that each run trains on, once")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--width", type=int, default=32, help="channels of the first block")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--torch-python", default=sys.executable, help="a Python interpreter that has torch")
    parser.add_argument("--threads", type=int, default=2, help="cores that each may use, and torch's threads")
    parser.add_argument("--ways", action="store_true", help="jaxlr against itself: streamed, and with checkpoints")
    parser.add_argument("--epochs", type=int, default=3, help="passes over the images, with --ways")
    parser.add_argument("--contender", choices=(*CONTENDERS, *WAYS[1:]), help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def load_images(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray, str]:
    if options.synthetic:
        random = np.random.default_rng(0)
        images = random.integers(0, 256, (options.images, 28, 28, 1), np.uint8)
        return images, random.integers(0, 10, options.images).astype(np.int32), "synthetic images"
    from jaxlr.training.data.datasets import load_dataset

    train = load_dataset("fashion-mnist", data_dir=options.data_dir).train
    return train.images[: options.images], train.labels[: options.images], "Fashion-MNIST"


def is_there(name: str, options: argparse.Namespace) -> bool:
    if not name.startswith("torch"):
        return True
    found = subprocess.run([options.torch_python, "-c", "import torch"], capture_output=True).returncode == 0
    if not found:
        print(f"{name}: left out, {options.torch_python} cannot import torch (see --torch-python)")
    return found


def start_contender(name: str, path: Path, options: argparse.Namespace) -> dict[str, Any]:
    python = options.torch_python if name.startswith("torch") else sys.executable
    command = [python, __file__, "--contender", name, "--file", str(path)]
    command += ["--batch-size", str(options.batch_size), "--width", str(options.width)]
    command += ["--threads", str(options.threads), "--epochs", str(options.epochs if options.ways else 1)]
    # Threads that spin while they wait make torch many times slower on a machine that does anything else.
    environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ}
    finished = subprocess.run(command, capture_output=True, text=True, env=environment)
    if finished.returncode:
        sys.exit(f"{name} failed:\n{finished.stderr}")
    return json.loads(finished.stdout.splitlines()[-1])


def run_contender(options: argparse.Namespace) -> dict[str, Any]:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
    with np.load(options.file) as file:
        images, labels = file["images"], file["labels"]
    if options.contender == "jaxlr saving":
        return run_jaxlr_saving(images, labels, options)
    if options.contender.startswith("jaxlr"):
        return run_jaxlr(images, labels, options, streamed=options.contender == "jaxlr streamed")
    if options.contender == "flax":
        return run_flax(images, labels, options)
    return run_torch(images, labels, options, options.contender.removeprefix("torch "))


def run_jaxlr(images: np.ndarray, labels: np.ndarray, options: argparse.Namespace, *, streamed: bool) -> dict[str, Any]:
    import jax

    from jaxlr.training.data.splits import MappedRows
    from jaxlr.training.loop.items import Chunk

    with tempfile.TemporaryDirectory() as folder:
        if streamed:
            path = Path(folder) / "images.npy"
            np.save(path, images)
            images = MappedRows(np.load(path, mmap_mode="r"))
        trainer, _ = make_trainer(images, labels, options, images_on="host" if streamed else "device")
        started = time.perf_counter()
        items = trainer.run(epochs=options.epochs)
        losses = np.concatenate([item.updates.loss for item in items if isinstance(item, Chunk)])
        seconds = time.perf_counter() - started - trainer.compile_seconds
    trained = len(losses) * options.batch_size
    return result(trained, seconds, trainer.compile_seconds, losses, f"jaxlr {jaxlr_version()}, jax {jax.__version__}")


def make_trainer(images: Any, labels: np.ndarray, options: argparse.Namespace, *, images_on: str) -> tuple[Any, Any]:
    from flax import nnx

    import jaxlr
    from jaxlr.training.data.datasets import Dataset, Split
    from jaxlr.training.loop.trainer import Trainer
    from jaxlr.training.network.models import CNN

    few = Split(images[: options.batch_size], labels[: options.batch_size])
    data = Dataset("benchmark", train=Split(images, labels), validation=few, test=few, classes=10, split_note="")
    model = CNN(images.shape[1:], 10, width=options.width, rngs=nnx.Rngs(0))
    trainer = Trainer(model, jaxlr.adam(0.001), data, batch_size=options.batch_size, images_on=images_on)
    return trainer, data


def run_jaxlr_saving(images: np.ndarray, labels: np.ndarray, options: argparse.Namespace) -> dict[str, Any]:
    import jax

    import jaxlr
    import jaxlr.training.runs.saving.checkpoints  # before the clock starts, as everything else
    from jaxlr.training.runs.config import TrainConfig
    from jaxlr.training.runs.folder import FolderLock
    from jaxlr.training.runs.records.position import Position
    from jaxlr.training.runs.run import Run, execute

    trainer, data = make_trainer(images, labels, options, images_on="device")
    schedule = "constant(0.001)"
    config = TrainConfig(
        schedule=schedule,
        batch_size=options.batch_size,
        epochs=options.epochs,
        width=options.width,
        checkpoint_every="50",
        events="tensorboard",
    )
    losses = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = Run(
            config,
            data,
            jaxlr.constant(0.001),
            trainer,
            folder=folder,
            lock=FolderLock(folder),
            start=Position(0, 0, 0, 0, 0.0, ((0, schedule),)),
        )
        summary = execute(run, watch=lambda item: losses.extend(getattr(item, "loss", ())))
    trained = len(losses) * options.batch_size
    versions = f"jaxlr {jaxlr_version()}, jax {jax.__version__}"
    return result(trained, summary["seconds"], trainer.compile_seconds, np.asarray(losses), versions)


def run_flax(images: np.ndarray, labels: np.ndarray, options: argparse.Namespace) -> dict[str, Any]:
    import flax
    import jax
    import optax
    from flax import nnx

    class Network(nnx.Module):
        def __init__(self, width: int, rngs: nnx.Rngs):
            self.conv1 = nnx.Conv(1, width, (3, 3), use_bias=False, rngs=rngs)
            self.norm1 = nnx.BatchNorm(width, momentum=0.9, rngs=rngs)
            self.conv2 = nnx.Conv(width, 2 * width, (3, 3), use_bias=False, rngs=rngs)
            self.norm2 = nnx.BatchNorm(2 * width, momentum=0.9, rngs=rngs)
            self.dense1 = nnx.Linear(7 * 7 * 2 * width, 128, rngs=rngs)
            self.dropout = nnx.Dropout(0.5, rngs=rngs)
            self.dense2 = nnx.Linear(128, 10, rngs=rngs)

        def __call__(self, x: jax.Array) -> jax.Array:
            x = nnx.max_pool(nnx.relu(self.norm1(self.conv1(x))), window_shape=(2, 2), strides=(2, 2))
            x = nnx.max_pool(nnx.relu(self.norm2(self.conv2(x))), window_shape=(2, 2), strides=(2, 2))
            x = nnx.relu(self.dense1(x.reshape(x.shape[0], -1)))
            return self.dense2(self.dropout(x))

    def loss_of(model: Network, batch_images: jax.Array, batch_labels: jax.Array) -> jax.Array:
        return optax.softmax_cross_entropy_with_integer_labels(model(batch_images), batch_labels).mean()

    @nnx.jit
    def step(model: Network, optimizer: nnx.Optimizer, batch_images: jax.Array, batch_labels: jax.Array) -> jax.Array:
        loss, gradients = nnx.value_and_grad(loss_of)(model, batch_images, batch_labels)
        optimizer.update(model, gradients)
        return loss

    model = Network(options.width, nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, optax.adam(0.001), wrt=nnx.Param)
    scaled = images.astype(np.float32) / 255
    first_started = time.perf_counter()
    jax.block_until_ready(step(model, optimizer, scaled[: options.batch_size], labels[: options.batch_size]))
    compile_seconds = time.perf_counter() - first_started
    for _ in range(WARM_UP):
        jax.block_until_ready(step(model, optimizer, scaled[: options.batch_size], labels[: options.batch_size]))
    started = time.perf_counter()
    losses = [step(model, optimizer, scaled[chosen], labels[chosen]) for chosen in batches(labels, options)]
    losses = np.asarray(jax.block_until_ready(losses))
    seconds = time.perf_counter() - started
    versions = f"flax {flax.__version__}, jax {jax.__version__}"
    return result(len(losses) * options.batch_size, seconds, compile_seconds, losses, versions)


def run_torch(images: np.ndarray, labels: np.ndarray, options: argparse.Namespace, layout: str) -> dict[str, Any]:
    import torch
    from torch import nn

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    width = options.width
    device = "cuda" if torch.cuda.is_available() else "cpu"
    memory = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}[layout]
    model: Any = nn.Sequential(  # Any: torch's annotations do not know memory_format
        *(nn.Conv2d(1, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(width, 2 * width, 3, padding=1, bias=False), nn.BatchNorm2d(2 * width), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(7 * 7 * 2 * width, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10)),
    )
    model = model.to(device=device, memory_format=memory)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001, fused=True)
    scaled = torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.float32) / 255).to(device)
    targets = torch.from_numpy(labels.astype(np.int64)).to(device)

    def step(chosen: np.ndarray) -> torch.Tensor:
        chosen_rows = torch.from_numpy(chosen).to(device)
        batch = scaled[chosen_rows].contiguous(memory_format=memory)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(batch), targets[chosen_rows])
        loss.backward()
        optimizer.step()
        return loss.detach()

    for _ in range(WARM_UP):
        step(np.arange(options.batch_size))
    started = time.perf_counter()
    losses = torch.stack([step(chosen) for chosen in batches(labels, options)]).cpu().numpy()
    seconds = time.perf_counter() - started
    return result(len(losses) * options.batch_size, seconds, 0.0, losses, f"torch {torch.__version__}, {layout}")


def batches(labels: np.ndarray, options: argparse.Namespace) -> np.ndarray:
    order = np.random.default_rng(0).permutation(len(labels))
    whole = len(labels) // options.batch_size
    return order[: whole * options.batch_size].reshape(whole, options.batch_size)


def result(trained: int, seconds: float, compile_seconds: float, losses: np.ndarray, versions: str) -> dict[str, Any]:
    return {
        "images_per_second": trained / seconds,
        "compile_seconds": compile_seconds,
        "last_loss": float(losses[-len(losses) // 5 :].mean()),
        "versions": versions,
    }


def print_table(results: dict[str, list[dict[str, Any]]]) -> None:
    rates = {name: median(run["images_per_second"] for run in runs) for name, runs in results.items()}
    torch_rates = [rate for name, rate in rates.items() if name.startswith("torch")]
    print(
        f"\n{'':20} {'images/s':>9} {'lowest':>8} {'highest':>8} "
        f"{'/ flax':>7} {'/ torch':>8} {'compile':>8} {'loss':>6}"
    )
    for name, runs in results.items():
        every = [run["images_per_second"] for run in runs]
        against_torch = f"{rates[name] / max(torch_rates):8.2f}" if torch_rates else f"{'-':>8}"
        print(
            f"{name:20} {rates[name]:9,.0f} {min(every):8,.0f} {max(every):8,.0f} {rates[name] / rates['flax']:7.2f} "
            f"{against_torch} {median(run['compile_seconds'] for run in runs):6.1f} s "
            f"{median(run['last_loss'] for run in runs):6.3f}   {runs[0]['versions']}"
        )
    print("images/s: median; / torch: against its faster layout; loss: mean over the last fifth of the updates.")


def print_ways(results: dict[str, list[dict[str, Any]]]) -> None:
    print(f"\n{'':20} {'images/s':>9} {'lowest':>8} {'highest':>8} {'/ jaxlr':>8} {'loss':>6}")
    plain = median(run["images_per_second"] for run in results[WAYS[0]])
    for name, runs in results.items():
        every = [run["images_per_second"] for run in runs]
        print(
            f"{name:20} {median(every):9,.0f} {min(every):8,.0f} {max(every):8,.0f} {median(every) / plain:8.2f} "
            f"{median(run['last_loss'] for run in runs):6.3f}   {runs[0]['versions']}"
        )


def cpu_name() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def jaxlr_version() -> str:
    from importlib.metadata import version

    return version("jaxlr")


if __name__ == "__main__":
    main()
