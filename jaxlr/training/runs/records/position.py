"""Where a run stands: what a checkpoint holds beside the arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jaxlr.errors import CheckpointError as CheckpointError
from jaxlr.training.runs.records.schema import check_fields, integer, listed, number, optional, text


@dataclass(frozen=True)
class Position:
    """Where a run stands, beside its arrays."""

    count: int  # updates applied
    epoch: int  # epochs completed, their evaluation included
    skipped: int  # updates left out because their loss or gradient was not finite
    metrics_bytes: int  # length of metrics.jsonl
    seconds: float  # of training
    schedules: tuple[tuple[int, str], ...]  # the schedule as it was asked for, from which count on
    resumed: tuple[int, ...] = ()  # the counts at which the run was taken up again
    data: str | None = None  # the fingerprint of the images; None in a checkpoint of an older jaxlr


_FIELDS = {
    "count": integer(),
    "epoch": integer(),
    "skipped": integer(),
    "metrics_bytes": integer(most=2**53),
    "seconds": number(least=0),
    "schedules": lambda value: bool(value) and listed(integer(), text())(value),
    "resumed": listed(integer()),
    "data": optional(text(64)),
}


def to_position(notes: Mapping[str, Any]) -> Position:
    """The position that a checkpoint's notes tell of; what they hold beside it is let be.

    Example:
      >>> to_position({"count": "75"})
      Traceback (most recent call last):
      ValueError: count is '75', which a position cannot hold there
    """
    notes = {"resumed": (), "data": None, **notes}
    check_fields(notes, _FIELDS, what="a position")
    fields: dict[str, Any] = {name: notes[name] for name in _FIELDS}
    fields["schedules"] = tuple((at, text) for at, text in fields["schedules"])
    fields["resumed"] = tuple(fields["resumed"])
    return Position(**fields)
