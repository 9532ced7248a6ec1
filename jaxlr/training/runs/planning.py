"""A run compiled for devices that are not there: how long that takes, what it needs, and whether it fits."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import nnx

from jaxlr.compiling.batches import largest_batch
from jaxlr.compiling.compilation import compile_placed, placed
from jaxlr.compiling.layouts import bytes_of
from jaxlr.compiling.report import Report, in_bytes
from jaxlr.compiling.targets import Target, describe
from jaxlr.schedules import parse
from jaxlr.training.data.splits import Dataset
from jaxlr.training.loop.feed import AHEAD, Resident, Streamed, are_resident, capacity_of
from jaxlr.training.loop.mesh import DataMesh, choose_devices
from jaxlr.training.loop.order import BatchOrder
from jaxlr.training.loop.programs import (
    Programs,
    check_order,
    evaluation_shapes,
    make_programs,
    parted,
    starting_state,
)
from jaxlr.training.loop.update import State
from jaxlr.training.network.losses import loss_by_name
from jaxlr.training.runs.config import TrainConfig, default_schedule
from jaxlr.training.runs.starting.assembly import load_data, make_model, make_optimizer


@dataclass(frozen=True)
class Plan:
    """What a run needs on some devices.

    Attributes:
      config: its options.
      update: of the program that makes the updates.
      evaluation: of the one that evaluates, with what lies beside it.
      parameters: how many numbers the network learns.
      images_on: "device" or "host".
      images_bytes: of all training images, as they lie on a device where they do.
      largest: the largest batch found to fit; None where it was not looked for.
    """

    config: TrainConfig
    update: Report
    evaluation: Report
    parameters: int
    images_on: str
    images_bytes: int
    largest: int | None = None

    @property
    def peak(self) -> int | None:
        """Bytes a device at the worst moment; None where the compiler refused a program without a number."""
        peaks = (self.update.peak, self.evaluation.peak)
        return None if None in peaks else max(peak for peak in peaks if peak is not None)

    @property
    def fits(self) -> bool:
        """Whether each device has memory for the run."""
        return self.update.fits and self.evaluation.fits

    @property
    def verdict(self) -> str:
        """Whether it fits, with the numbers, in one line."""
        worst = self.evaluation if self.update.fits else self.update
        needs = worst.refusal if worst.peak is None else f"it needs {in_bytes(worst.peak)} a device"
        batch = self.config.batch_size
        found = "" if self.largest is None else f"; the largest batch found to fit is {self.largest:,}"
        said = "fits" if self.fits else "does not fit"
        has = in_bytes(worst.available)
        return f"{worst.target}: a batch of {batch:,} {said}: {needs}, there are {has}{'' if self.fits else found}"

    def __str__(self) -> str:
        images = in_bytes(self.images_bytes)
        lines = [str(self.update)]
        peak = "unknown" if self.evaluation.peak is None else in_bytes(self.evaluation.peak)
        lines.append(f"  evaluation: peak {peak}, compiled in {self.evaluation.seconds:.1f} s")
        if self.images_on == "device":
            lines.append(f"  all training images lie on every device ({images})")
        else:
            lines.append(f"  the training images ({images}) stay on the host and are handed out a few updates ahead")
        if self.largest is not None:
            lines.append(f"  the largest batch found to fit: {self.largest:,}" if self.largest else "  no batch fits")
        return "\n".join(lines)


def plan(config: TrainConfig, target: str | Target, *, data: Dataset | None = None, largest: bool = False) -> Plan:
    """Compiles the programs of a run for some devices, which need not be there, and runs nothing.

    Args:
      config: the options of the run.
      target: the devices, such as "v5e:2x4"; see `jaxlr.compiling.describe`.
      data: the images, of which the shapes alone are looked at; None: those of the options.
      largest: whether to look for the largest batch that fits as well, by up to eight more compilations.

    Returns:
      What the run needs.

    Raises:
      ValueError: an option is wrong for the data or for these devices, such as a batch that they cannot share.
      TargetError: there are no such devices, or there is no compiler for them; the message says what to install.

    Example:
      >>> small = TrainConfig(width=4, depth=1, schedule="constant(0.01)", optimizer="sgd")
      >>> needed = plan(small, "cpu")
      >>> needed.fits, needed.images_on, needed.update.program.callbacks
      (True, 'device', False)
    """
    target = describe(target) if isinstance(target, str) else target
    data = load_data(config) if data is None else data
    ready = _prepared(config, target, data)
    update = _update(ready)
    needed = Plan(
        config=config,
        update=update,
        evaluation=_evaluation(ready, update),
        parameters=sum(leaf.size for leaf in jax.tree.leaves(ready.state.parameters)),
        images_on="device" if ready.feed is Resident else "host",
        images_bytes=update.parts["images"] if ready.feed is Resident else data.train.nbytes,
    )
    if not largest:
        return needed
    most = len(data.train.labels) // update.devices * update.devices

    def with_batch(batch: int) -> Report:
        if batch == config.batch_size:
            return update
        return _update(_prepared(dataclasses.replace(config, batch_size=batch), target, data))

    found = largest_batch(with_batch, min(config.batch_size, most), multiple=update.devices, most=most)
    return dataclasses.replace(needed, largest=found)


class _Ready(NamedTuple):
    """All that is to be compiled."""

    target: Target
    data: Dataset
    order: BatchOrder
    mesh: DataMesh
    feed: type[Resident] | type[Streamed]
    state: State
    programs: Programs


def _prepared(config: TrainConfig, target: Target, data: Dataset) -> _Ready:
    """The state as shapes in their places, and the programs, as a `Trainer` makes them."""
    order = check_order(data, batch_size=config.batch_size, accumulate=config.accumulate, seed=config.seed)
    mesh = DataMesh(choose_devices(config.batch_size, config.devices, target.devices))
    feed = Resident if are_resident(config.images_on, data.train, target.memory) else Streamed
    text = default_schedule(config.epochs) if config.schedule is None else config.schedule
    optimizer = make_optimizer(config, parse(text, steps_per_epoch=order.batches / order.accumulate))
    network = parted(nnx.eval_shape(lambda: make_model(config, data)))

    def start(parameters: Any, variables: Any) -> State:
        return starting_state(network._replace(parameters=parameters, variables=variables), optimizer)

    state = jax.eval_shape(start, network.parameters, network.variables)
    programs = make_programs(
        network,
        state,
        optimizer,
        mesh,
        feed,
        capacity=capacity_of(feed, data.train, order),
        loss=loss_by_name(config.loss),
        l1=config.l1,
        l2=config.l2,
        skip=config.nonfinite == "skip",
        zero=config.zero,
    )
    return _Ready(target, data, order, mesh, feed, placed(state, programs.shardings), programs)


def _update(ready: _Ready) -> Report:
    fed = ready.feed.shapes(ready.data.train, ready.order, ready.mesh)
    count = jax.ShapeDtypeStruct((), np.int32, sharding=ready.mesh.everywhere)
    images = _images_name(ready)
    names = [*_named(ready.state), images, images, "order", "order"]
    program = ready.programs.train_chunk
    return compile_placed(ready.target, program, (ready.state, fed, count), names, beside=_windows(ready))


def _evaluation(ready: _Ready, update: Report) -> Report:
    held = {name: size for name, size in update.parts.items() if name in ("optimizer state", _images_name(ready))}
    state = ready.state[:2]
    return compile_placed(
        ready.target,
        ready.programs.evaluate_batch,
        (*state, *evaluation_shapes(ready.data, ready.mesh)),
        [*_named(state), *["evaluated images"] * 3],
        beside=held | _windows(ready),
    )


def _images_name(ready: _Ready) -> str:
    return "images" if ready.feed is Resident else "images of a window"


def _windows(ready: _Ready) -> dict[str, int]:
    """What is on the way to the devices while they work, where the images stay on the host."""
    if ready.feed is Resident:
        return {}
    images, labels, _ = ready.feed.shapes(ready.data.train, ready.order, ready.mesh)
    return {"windows to come": AHEAD * (bytes_of(images) + bytes_of(labels))}


def _named(state: Any) -> list[str]:
    """The part of a run's state that each of its arrays belongs to, in a reader's words."""
    words = ("parameters", "statistics", "optimizer state")
    return [
        words[path[0].idx if hasattr(path[0], "idx") else State._fields.index(path[0].name)]
        for path, _ in jax.tree.leaves_with_path(state)
    ]
