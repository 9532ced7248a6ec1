"""What levanter's `lr_schedule` names: the curve from the peak on."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from jaxlr import schedules as core
from jaxlr.arguments import meant
from jaxlr.dialects import common
from jaxlr.dialects.common import Number, Updates
from jaxlr.schedules import Schedule


@dataclasses.dataclass(frozen=True)
class Fall:
    """The numbers of a fall: its peak, the ratio of its end, the warm-up before it and its length in updates."""

    peak: Number
    ratio: Number
    warm: Updates
    steps: Updates

    @property
    def low(self) -> Number:
        """The rate that it falls to."""
        return self.peak * self.ratio


def read_kind(lr_schedule: str | Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The word and its arguments."""
    if not isinstance(lr_schedule, str | Mapping):
        raise TypeError(f"lr_schedule must be a word or a mapping with 'type', got {lr_schedule!r}")
    arguments: dict[str, Any] = dict(lr_schedule) if isinstance(lr_schedule, Mapping) else {"type": lr_schedule}
    kind = arguments.pop("type", None)
    if not isinstance(kind, str) or kind not in _KINDS:
        raise ValueError(f"lr_schedule must be one of {', '.join(map(repr, _KINDS))}, got {kind!r}")
    for name in arguments.keys() - ARGUMENTS[kind]:
        raise ValueError(f"lr_schedule {kind!r} has no argument {name!r}{_hint(kind, name)}")
    for name in {"batch_size", "seq_length"} - arguments.keys() if kind == "power" else ():
        raise ValueError(f"{name} must be given for lr_schedule 'power'")
    return kind, arguments


def _hint(kind: str, name: str) -> str:
    return meant(name, sorted(ARGUMENTS[kind])) if ARGUMENTS[kind] else "; it has none"


def falling(kind: str, arguments: Mapping[str, Any], fall: Fall) -> Schedule:
    """The curve; the peak where it has no updates."""
    if common.equals(fall.steps, 0):
        return core.constant(fall.peak)
    return _KINDS[kind](dataclasses.replace(fall, steps=common.at_least_one(fall.steps)), **arguments)


def _constant(fall: Fall) -> Schedule:
    return core.constant(fall.peak)


def _cosine(fall: Fall, exponent: Number = 1.0) -> Schedule:
    if common.equals(exponent, 1):
        return core.cosine(fall.peak, fall.steps, end_value=fall.low)
    return core.k_decay(fall.peak, fall.steps, power=common.positive("exponent", exponent), end_value=fall.low)


def _linear(fall: Fall) -> Schedule:
    return core.linear(fall.peak, fall.low, fall.steps)


def _inv_sqrt(fall: Fall, timescale: Number = 10_000) -> Schedule:
    scale = common.number("timescale", timescale, minimum=1.0)
    if common.known(scale) and float(scale).is_integer():
        curve = core.inverse_sqrt(fall.peak, timescale=int(scale))
    else:
        curve = core.at_speed(core.inverse_sqrt(fall.peak, timescale=1), 1 / scale)
    return curve.shift(fall.warm).clip(min=fall.low)


def _inv(fall: Fall) -> Schedule:
    if common.known(fall.ratio) and not 0 < fall.ratio <= 1:
        raise ValueError(f"min_lr_ratio must be above 0 and at most 1 for lr_schedule 'inv', got {fall.ratio}")
    curve = core.inverse_time(fall.peak, 1 / fall.ratio - 1, transition_steps=fall.steps)
    return curve.shift(1).shift(-1).clip(min=fall.low)  # its first two updates have the rate of the second


def _power(fall: Fall, batch_size: Any, seq_length: Any, a: Number = 4.6, b: Number = -0.51) -> Schedule:
    batch = common.length("batch_size", batch_size, minimum=1)
    tokens = batch * 1.0 * common.length("seq_length", seq_length, minimum=1)
    exponent = common.signed("b", b)
    if common.known(exponent) and exponent >= 0:
        raise ValueError(f"b must be below 0, got {b}")
    first = batch * common.positive("a", a) * tokens**exponent
    if common.known(first, fall.peak) and first >= fall.peak:
        return core.power(first, exponent).clip(max=fall.peak)
    # No token has been seen at the first update.
    return core.join([core.constant(fall.peak), core.power(first, exponent).shift(1).clip(max=fall.peak)], [1])


_KINDS: Mapping[str, Callable[..., Schedule]] = {
    "constant": _constant,
    "cosine": _cosine,
    "linear": _linear,
    "inv_sqrt": _inv_sqrt,
    "inv": _inv,
    "power": _power,
}
ARGUMENTS = {kind: inspect.signature(make).parameters.keys() - {"fall"} for kind, make in _KINDS.items()}
