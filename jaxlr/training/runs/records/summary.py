"""The summary of a run: how good the network is, what the learning rate did, how long it took, and what made it."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from jaxlr.schedules import Schedule
from jaxlr.training.loop.items import EpochEnd, Item
from jaxlr.training.runs.records.metrics import finite

_PACKAGES = ("jaxlr", "jax", "jaxlib", "optax", "flax", "numpy")


@dataclass
class Tally:
    """What a run has given out so far."""

    updates: int = 0
    skipped: int = 0
    at_zero: int = 0  # of the updates the last ones, whose rate is 0
    rates: list[float] = field(default_factory=list)  # the first, the highest, the last
    epochs: list[EpochEnd] = field(default_factory=list)

    def take(self, item: Item) -> None:
        """Counts an item of the loop."""
        if isinstance(item, EpochEnd):
            self.epochs.append(item)
            return
        updates = item.updates
        made = len(updates.count)
        self.updates += made
        self.skipped += int(item.skipped.sum())
        above = np.flatnonzero(updates.learning_rate)
        self.at_zero = made - 1 - int(above[-1]) if above.size else self.at_zero + made
        rates = [*self.rates, *map(float, updates.learning_rate)]
        self.rates = [rates[0], max(rates), rates[-1]] if rates else []

    def entries(self) -> dict[str, Any]:
        """The summary's lines about updates, rates and accuracies."""
        first, highest, last = self.rates or (None, None, None)
        final = self.epochs[-1] if self.epochs else None
        best = max(self.epochs, key=lambda end: end.validation_accuracy, default=None)
        return {
            "train_accuracy": final and finite(final.train_accuracy),
            "validation_accuracy": final and finite(final.validation_accuracy),
            "best_validation_accuracy": best and finite(best.validation_accuracy),
            "best_epoch": best and int(best.epoch),
            "epochs": len(self.epochs),
            "updates": self.updates,
            "skipped_updates": self.skipped,
            "learning_rate_first": first,
            "learning_rate_highest": highest,
            "learning_rate_last": last,
        }


def end_entries(schedule: Schedule, updates: int) -> dict[str, Any]:
    """Says where the schedule stands when the run is over, and whether inside a cycle; null where it has no cycles.

    Example:
      >>> import jaxlr
      >>> end_entries(jaxlr.triangular(0.1, 1.0, 40), 100)["cycle_note"]
      'the run ends inside a cycle, 20 updates into 80; 60 more would complete it'
    """
    place = schedule.cycle(updates)
    inside = place is not None and place.updates != 0
    note = None
    if place is not None and inside:
        rest = place.length - place.updates
        note = (
            f"the run ends inside a cycle, {place.updates} updates into {place.length}; {rest} more would complete it"
        )
    rate = finite(schedule(updates))
    return {"learning_rate_end": rate, "ended_inside_cycle": None if place is None else inside, "cycle_note": note}


def horizon_note(schedule: Schedule, updates: int, *, at_zero: int, an_epoch: int) -> str | None:
    """Says where a run and its schedule are of different lengths; None where they are not, or nobody can tell.

    Args:
      schedule: of the run.
      updates: that were made.
      at_zero: of these the last ones, whose rate is 0.
      an_epoch: updates in an epoch; fewer at 0 are nothing to tell.

    Example:
      >>> import jaxlr
      >>> horizon_note(jaxlr.cosine(0.1, 100), 120, at_zero=20, an_epoch=10)
      'the rate is 0 at the last 20 updates, from count 100 on; a schedule of 120 would use them'
      >>> horizon_note(jaxlr.cosine(0.1, 100), 80, at_zero=0, an_epoch=10)
      'the run ends before its schedule, 80 updates into 100; 20 more would complete it'
    """
    if at_zero >= max(an_epoch, 1):
        return (
            f"the rate is 0 at the last {at_zero} updates, from count {updates - at_zero} on; "
            f"a schedule of {updates} would use them"
        )
    end = schedule.end()
    if end is None or updates >= end:
        return None
    return f"the run ends before its schedule, {updates} updates into {end}; {end - updates} more would complete it"


def parameters_sha256(parameters: Any) -> str:
    """The SHA-256 of every parameter's path, dtype, shape and little-endian bytes, in the order of the paths as text.

    Example:
      >>> import numpy as np
      >>> parameters_sha256({"weight": np.zeros((2, 3), np.float32)})[:8]
      '5e8b0d57'
    """
    leaves = {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in jax.tree.leaves_with_path(parameters)}
    digest = hashlib.sha256()
    for path in sorted(leaves):
        leaf = leaves[path].astype(leaves[path].dtype.newbyteorder("<"))
        digest.update(f"{path} {leaf.dtype.name} {leaf.shape}\n".encode())
        digest.update(leaf.tobytes())
    return digest.hexdigest()


def machine(used: int) -> dict[str, Any]:
    """The versions and the devices that made a run, with how many of them it used."""
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    device = jax.devices()[0]
    return {
        "versions": versions | {"python": platform.python_version()},
        "device": {
            "platform": device.platform,
            "kind": device.device_kind,
            "count": jax.device_count(),
            "used": used,
            "processes": jax.process_count(),
        },
    }
