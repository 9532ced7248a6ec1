"""Where a run ends in its schedule: the last update should complete a cycle, or the whole."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from jaxlr.plotting import default_steps

__all__ = ["CyclePlace", "horizon", "place_in_cycle"]

_WITH_END = ("linear", "polynomial", "cosine", "tanh", "k_decay", "rex", "one_cycle", "slanted_triangular")
_WITH_END += ("flat_cosine", "warmup_stable_decay")


class CyclePlace(NamedTuple):
    """A count's place in a cycle."""

    updates: int  # of the cycle that are done; 0 where a cycle has just ended
    length: int  # of the cycle, in updates


def place_in_cycle(schedule: Mapping[str, Any], count: int) -> CyclePlace | None:
    """Finds where a count lies in its cycle, or None if the schedule has no cycles (or has not begun them).

    Args:
      schedule: what `Schedule.to_dict` returned.
      count: the number of updates that are done.

    Example:
      >>> import jaxlr
      >>> place_in_cycle(jaxlr.triangular(0.1, 1.0, 40).to_dict(), 100)
      CyclePlace(updates=20, length=80)
      >>> place_in_cycle(jaxlr.cosine(0.1, 100).to_dict(), 100) is None
      True
    """
    arguments = schedule["arguments"]
    match schedule["family"]:
        case "triangular" | "triangular2" | "exp_range" | "cyclic":
            up = arguments["step_size"]
            down = arguments.get("step_size_down")
            length = up + (up if down is None else down)
            return CyclePlace(count % length, length)
        case "cosine_restarts":
            return _place_in_restarts(arguments["first_decay_steps"], arguments.get("t_mul", 1), count)
        case "repeat":
            return CyclePlace(count % arguments["period"], arguments["period"])
        case "warmup":
            rest = count - arguments["warmup_steps"]
            return place_in_cycle(arguments["schedule"], rest) if rest > 0 else None
        case "join":
            started = [boundary for boundary in arguments["boundaries"] if boundary < count]
            rest = count - (started[-1] if started else 0)
            return place_in_cycle(arguments["schedules"][len(started)], rest)
        case "shift":
            return place_in_cycle(arguments["schedule"], max(count + arguments["k"], 0))
        case "per_epoch":
            whole, inside = divmod(count, arguments["steps_per_epoch"])
            place = place_in_cycle(arguments["schedule"], whole)
            scale = arguments["steps_per_epoch"]
            return place and CyclePlace(place.updates * scale + inside, place.length * scale)
    children = [value for value in arguments.values() if isinstance(value, Mapping) and "family" in value]
    places = [place_in_cycle(child, count) for child in children]
    return next((place for place in places if place is not None), None)


def horizon(schedule: Mapping[str, Any]) -> int | None:
    """The count at which a schedule has come to its end, or None if it has none, or is made of several.

    Args:
      schedule: what `Schedule.to_dict` returned.

    Example:
      >>> import jaxlr
      >>> horizon(jaxlr.warmup(jaxlr.cosine(0.1, 100), 10).to_dict())
      110
      >>> horizon(jaxlr.triangular(0.1, 1.0, 40).to_dict()) is None
      True
    """
    arguments = schedule["arguments"]
    if schedule["family"] == "warmup":
        rest = horizon(arguments["schedule"])
        return None if rest is None else arguments["warmup_steps"] + rest
    # After a cosine that rises again comes another one.
    if schedule["family"] not in _WITH_END or arguments.get("after") == "rise":
        return None
    return default_steps(schedule)


def _place_in_restarts(length: float, factor: float, count: int) -> CyclePlace:
    rest: float = count
    while rest >= length:
        rest, length = rest - length, length * factor
    return CyclePlace(int(rest), round(length))
