"""scenic's schedule from a factor string: t5x's idea with other factors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from jaxlr import schedules as core
from jaxlr.dialects import common
from jaxlr.dialects.common import Updates
from jaxlr.dialects.t5x.factors import Factor, as_schedule, read_factors, times
from jaxlr.schedules import Schedule, leaves
from jaxlr.typing import Length, Lengths, Scalar, Scalars


def compound_lr_scheduler(
    factors: str,
    base_learning_rate: Scalar = 1.0,
    *,
    warmup_steps: Length | None = None,
    warmup_alpha: Scalar = 0.0,
    decay_steps: Length | None = None,
    end_factor: Scalar | None = None,
    power: Scalar | None = None,
    decay_events: Lengths | None = None,
    decay_factors: Scalars | None = None,
    timescale: Length = 10_000,
    steps_per_decay: Length | None = None,
    decay_factor: Scalar | None = None,
    decay_rate: Scalar | None = None,
    staircase: bool = False,
    steps_per_cycle: Length | None = None,
    t_mul: Scalar = 1.0,
    m_mul: Scalar = 1.0,
    alpha: Scalar = 0.0,
    start_decay_step: Length = 0,
    total_steps: Length | None = None,
    end_learning_rate: Scalar = 0.0,
    cooldown_steps: Length | None = None,
    learning_rate_schedule: Literal["compound"] = "compound",
) -> Schedule:
    """scenic's schedule: its factors, multiplied from the left to the right.

    With W = warmup_steps and T = total_steps, at count n:
      constant             base_learning_rate
      polynomial           end_factor + (1 - end_factor) * (1 - n / decay_steps) ** power, and then end_factor
      piecewise_constant   1 up to the first event, then each of decay_factors from the update after its event on
      piecewise_linear     from 1 at n = 0 in straight lines to each of decay_factors at its event; holds
      linear_warmup        min(1, warmup_alpha + (1 - warmup_alpha) * n / W)
      rsqrt_decay          sqrt(timescale / (timescale + max(0, n - W)))
      decay_every          decay_factor ** floor(n / steps_per_decay)
      exponential_decay    decay_rate ** (n / decay_steps), with the floor if `staircase`
      cosine_decay         alpha + (1 - alpha) * m_mul ** i * (1 + cos(pi x)) / 2 of max(0, n - W - start_decay_step),
                           in cycle i of steps_per_cycle - int(W * steps_per_cycle / T) updates times t_mul ** i
      linear_decay         what the factors before it make, down to end_learning_rate from n = W to n = T
      linear_cooldown      min(1, (T - max(n, W)) / cooldown_steps), at least 0

    Args:
      factors: names with `*` between them; the others are needed where a factor has them.
      base_learning_rate: the constant.
      warmup_steps: an integer, at least 0; 0 if left out, but for "linear_warmup", which needs it.
      warmup_alpha: the share of the rate that the warm-up starts with, in [0, 1].
      decay_steps: an integer, at least 1.
      end_factor, power: of "polynomial".
      decay_events, decay_factors: counts in strictly rising order, at least 1, and as many shares of the rate.
      timescale: an integer, at least 1.
      steps_per_decay, decay_factor: of "decay_every".
      decay_rate, staircase: of "exponential_decay".
      steps_per_cycle, t_mul, m_mul, alpha, start_decay_step: of "cosine_decay"; t_mul at least 1.
      total_steps: an integer; `steps_per_cycle` for "cosine_decay" if left out, above W for "linear_decay".
      end_learning_rate: of "linear_decay".
      cooldown_steps: an integer, at least 1.
      learning_rate_schedule: "compound", so that a whole `lr_configs` can be given.

    Returns:
      A schedule: update count (int, any shape) -> rate (float32, same shape).

    Raises:
      ValueError: an unknown factor, an argument that a factor needs is missing, or a number out of range.
      TypeError: `factors` is no text, or a length is no integer.

    Example:
      >>> from jaxlr.dialects import t5x
      >>> lr_configs = {"learning_rate_schedule": "compound", "factors": "constant*linear_warmup*linear_decay",
      ...   "base_learning_rate": 1.0, "warmup_steps": 2, "total_steps": 6}
      >>> rate = t5x.compound_lr_scheduler(**lr_configs)
      >>> [float(rate(n)) for n in range(8)]
      [0.0, 0.5, 1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    """
    given = dict(locals())  # every argument by its name
    leaves.choice("learning_rate_schedule", learning_rate_schedule, ("compound",))
    product: Factor = 1.0
    for name in read_factors(factors, list(_FACTORS)):
        product = _FACTORS[name](product, _Given(name, given))
    return as_schedule(product)


class _Given:
    """The arguments, as one factor asks for them."""

    def __init__(self, factor: str, arguments: dict[str, Any]):
        self._factor, self._arguments = factor, arguments

    def __getitem__(self, name: str) -> Any:
        """An argument that must be there."""
        value = self._arguments[name]
        if value is None:
            raise ValueError(f"{name} must be given for the factor {self._factor!r}")
        return value

    def length(self, name: str, *, minimum: int = 1) -> Updates:
        """A length that must be there."""
        return common.length(name, self[name], minimum=minimum)

    def length_or(self, name: str, default: Updates, *, minimum: int = 0) -> Updates:
        """A length that may be left out."""
        value = self._arguments[name]
        return default if value is None else common.length(name, value, minimum=minimum)


def _constant(so_far: Factor, a: _Given) -> Factor:
    return times(so_far, common.number("base_learning_rate", a["base_learning_rate"]))


def _polynomial(so_far: Factor, a: _Given) -> Factor:
    return times(
        so_far, core.polynomial(1.0, common.number("end_factor", a["end_factor"]), a["power"], a.length("decay_steps"))
    )


def _events(a: _Given) -> tuple[list[Any], list[Any]]:
    """The events, strictly rising, and what holds from each on."""
    leaves.lengths("decay_events", a["decay_events"], strictly=True)
    events, shares = list(a["decay_events"]), list(a["decay_factors"])
    if len(events) != len(shares) or not events:
        raise ValueError(
            f"decay_factors must be one for each of decay_events, got {len(shares)} for {len(events)} events"
        )
    return events, shares


def _piecewise_constant(so_far: Factor, a: _Given) -> Factor:
    events, shares = _events(a)
    return times(so_far, core.piecewise_constant([1.0, *shares], [event + 1 for event in events]))


def _piecewise_linear(so_far: Factor, a: _Given) -> Factor:
    events, shares = _events(a)
    starts, ends = [0, *events], [1.0, *shares]
    lines = [core.linear(ends[i], ends[i + 1], starts[i + 1] - starts[i]) for i in range(len(events))]
    return times(so_far, core.join(lines, events[:-1]) if len(lines) > 1 else lines[0])


def _linear_warmup(so_far: Factor, a: _Given) -> Factor:
    warm = a.length("warmup_steps", minimum=0)
    leaves.share("warmup_alpha", a["warmup_alpha"])
    return so_far if common.equals(warm, 0) else times(so_far, core.linear(a["warmup_alpha"], 1.0, warm))


def _rsqrt_decay(so_far: Factor, a: _Given) -> Factor:
    scale = a.length("timescale")
    return times(so_far, core.inverse_sqrt(1.0, timescale=scale).shift(scale - a.length_or("warmup_steps", 0)))


def _decay_every(so_far: Factor, a: _Given) -> Factor:
    factor = common.number("decay_factor", a["decay_factor"])
    return times(so_far, core.step_decay(1.0, factor, a.length("steps_per_decay")))


def _exponential_decay(so_far: Factor, a: _Given) -> Factor:
    steps = a.length("decay_steps")
    return times(so_far, core.exponential(1.0, a["decay_rate"], transition_steps=steps, staircase=a["staircase"]))


def _cosine_decay(so_far: Factor, a: _Given) -> Factor:
    cycle, warm, floor = a.length("steps_per_cycle"), a.length_or("warmup_steps", 0), common.signed("alpha", a["alpha"])
    total = a.length_or("total_steps", cycle, minimum=1)
    cycle = cycle - common.cut(warm / (total / cycle), 1)
    if common.known(cycle) and cycle <= 0:
        return so_far
    start = warm + a.length("start_decay_step", minimum=0)
    growth = common.number("t_mul", a["t_mul"], minimum=1)
    waves = core.cosine_restarts(1.0, common.at_least_one(cycle), t_mul=growth, m_mul=a["m_mul"], end_value=floor)
    return times(so_far, common.begun(waves, start))


def _linear_decay(so_far: Factor, a: _Given) -> Factor:
    total, warm = a.length("total_steps"), a.length_or("warmup_steps", 0)
    if common.known(total, warm) and total <= warm:
        raise ValueError(f"total_steps must be above warmup_steps, {warm}, for the factor 'linear_decay', got {total}")
    end = common.number("end_learning_rate", a["end_learning_rate"])
    line = common.begun(core.linear(1.0, 0.0, common.at_least_one(total - warm)), warm)
    if common.equals(end, 0):
        return times(so_far, line)
    return as_schedule(times(so_far - end, line)) + end


def _linear_cooldown(so_far: Factor, a: _Given) -> Factor:
    total, steps, warm = a.length("total_steps"), a.length("cooldown_steps"), a.length_or("warmup_steps", 0)
    if common.known(total, steps, warm) and total - steps >= warm:
        return times(so_far, core.linear(1.0, 0.0, steps, transition_begin=total - steps))
    # Within the warm-up it stands where it will be at its end.
    return times(so_far, common.begun(core.linear(1.0, 0.0, steps).shift(steps - total + warm), warm))


_FACTORS: dict[str, Callable[[Factor, _Given], Factor]] = {
    "constant": _constant,
    "polynomial": _polynomial,
    "piecewise_constant": _piecewise_constant,
    "piecewise_linear": _piecewise_linear,
    "linear_warmup": _linear_warmup,
    "rsqrt_decay": _rsqrt_decay,
    "decay_every": _decay_every,
    "exponential_decay": _exponential_decay,
    "cosine_decay": _cosine_decay,
    "linear_decay": _linear_decay,
    "linear_cooldown": _linear_cooldown,
}
