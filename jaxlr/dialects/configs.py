"""The keys of other frameworks' configurations: every one is read, refused or accounted for."""

from __future__ import annotations

import ast
import inspect
import math
import re
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jaxlr.arguments import meant, nearest

_ALIKE = 0.83  # of difflib: one letter wrong in six, or two in their order
_DEEPEST, _MOST_KEYS = 32, 10_000
# What a key must look like for a misspelling of it to matter: it speaks of rates, their shape or the optimizer.
_CONCERNS = re.compile(
    r"(^|[._-])(lr|lrs|learning|rate|sched|scheduler|schedule|warm|warmup|cooldown|decay|anneal|optim|optimizer|opt|adam|"
    r"adamw|beta|beta1|beta2|b1|b2|eps|epsilon|momentum|wd|wsd)([._-]|\d|$)"
)


_SHORT = reprlib.Repr()
_SHORT.maxlevel = 2  # references of YAML may make a list of 9 lists of 9 lists, and on
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60


def flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with dots between the keys of its levels.

    Example:
      >>> flat({"optimizer": {"lr": 0.1, "betas": [0.9, 0.95]}, "steps": 10})
      {'optimizer.lr': 0.1, 'optimizer.betas': [0.9, 0.95], 'steps': 10}
    """
    found: dict[str, Any] = {}

    def walk(prefix: str, level: Mapping[str, Any], depth: int) -> None:
        if depth > _DEEPEST:
            raise ValueError(f"configuration must be nested at most {_DEEPEST} deep")
        for key, value in level.items():
            name = f"{prefix}{key}"
            if isinstance(value, Mapping):
                walk(f"{name}.", value, depth + 1)
            else:
                found[name] = value
            if len(found) > _MOST_KEYS:
                raise ValueError(f"configuration must have at most {_MOST_KEYS:,} keys")

    walk("", config, 1)
    return found


def sections(config: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """A configuration with those of its sections that have these names, or nearly; lines outside sections stay.

    Example:
      >>> sections({"optimizer": {"lr": 0.1}, "metrics": {"log_rate": 5}, "steps": 10}, ["optimizer"])
      {'optimizer': {'lr': 0.1}, 'steps': 10}
    """
    return {
        key: value
        for key, value in config.items()
        if not isinstance(value, Mapping) or nearest(str(key), names, cutoff=_ALIKE)
    }


def by_last_name(config: Mapping[str, Any], known: Iterable[str]) -> dict[str, Any]:
    """A configuration without its levels, where names say enough: `optimizer.lr` and `--lr` are both `lr`.

    Names that are not known keep their levels.

    Example:
      >>> by_last_name({"optimizer": {"lr": 0.1}, "--train-iters": 5, "model": {"layers": 2}}, ["lr", "train_iters"])
      {'lr': 0.1, 'train_iters': 5, 'model.layers': 2}
    """
    known, found, places = set(known), {}, {}
    for place, value in flat(config).items():
        last = place.rpartition(".")[2].lstrip("-").replace("-", "_")
        name = last if last in known else place
        if name in found and found[name] != value:
            raise ValueError(f"{places[name]} and {place} contradict each other: {shown(found[name])}, {shown(value)}")
        found[name], places[name] = value, place
    return found


def shown(value: object) -> str:
    """A value in a message: short, however large it is."""
    return _SHORT.repr(value)


class Keys:
    """The keys of a flat configuration, each taken once; what is left at the end is accounted for.

    Args:
      config: keys and values.
      known: all keys that the framework's dialect reads, whether or not they stand in this configuration.
      elsewhere: keys that the framework has for other things, and that look as if they concerned rates.

    Raises:
      ValueError: a key looks like one of the known, and is none.

    Example:
      >>> keys = Keys({"lr": "1e-4", "seed": 1}, known=["lr", "warmup"])
      >>> keys.number("lr"), keys.number("warmup", 0.0), keys.unread()
      (0.0001, 0.0, ['seed'])
      >>> Keys({"warmpu": 3}, known=["lr", "warmup"])
      Traceback (most recent call last):
      ValueError: unknown key 'warmpu'; did you mean 'warmup'?
    """

    def __init__(self, config: Mapping[str, Any], known: Iterable[str], elsewhere: Iterable[str] = ()):
        self._config = dict(config)
        self._known, self._elsewhere = list(known), set(elsewhere)
        self._read: set[str] = set()
        for key in config.keys() - {*self._known, *self._elsewhere}:
            if near := _misspelled(key, self._known):
                raise ValueError(f"unknown key {key!r}; did you mean {near!r}?")

    def __contains__(self, key: str) -> bool:
        return self._config.get(key) is not None

    def number(
        self, key: str, default: float | None = None, *, minimum: float = -math.inf, maximum: float = math.inf
    ) -> float:
        """A finite number; text that is one counts, since YAML reads 1e-4 as text."""
        value = self._required(key, default)
        found = _as_number(value)
        if not minimum <= found <= maximum or math.isinf(found):
            raise ValueError(f"{key} must be a number{_within(minimum, maximum)}, got {shown(value)}{_unsaid(value)}")
        return found

    def length(self, key: str, default: int | None = None, *, minimum: int = 0, maximum: int = 2**53) -> int:
        """A whole number, 1000.0 and 1e3 among them."""
        value = self._required(key, default)
        found = _as_number(value)
        if not minimum <= found <= maximum or not found.is_integer():
            most = maximum if maximum < 2**53 else math.inf
            raise ValueError(
                f"{key} must be a whole number{_within(minimum, most)}, got {shown(value)}{_unsaid(value)}"
            )
        return int(found)

    def numbers(self, key: str, default: Sequence[float] | None = None, *, count: int | None = None) -> list[float]:
        """A list of finite numbers."""
        value = self._required(key, default)
        found = [_as_number(each) for each in value] if isinstance(value, list | tuple) else [math.nan]
        if not all(map(math.isfinite, found)) or count not in (None, len(found)):
            many = "" if count is None else f" {count}"
            raise ValueError(f"{key} must be a list of{many} numbers, got {shown(value)}{_unsaid(value)}")
        return found

    def word(self, key: str, choices: Iterable[str], default: str | None = None) -> str:
        """One of some words."""
        value = self._required(key, default)
        choices = list(choices)
        if not isinstance(value, str) or value not in choices:
            near = meant(value, choices) if isinstance(value, str) else ""
            hint = near if "mean" in near else _unsaid(value)
            raise ValueError(f"{key} must be one of {', '.join(choices)}, got {shown(value)}{hint}")
        return value

    def flag(self, key: str, default: bool = False) -> bool:
        """True or false."""
        value = self._taken(key, default)
        if not isinstance(value, bool):
            raise ValueError(f"{key} must be true or false, got {shown(value)}{_unsaid(value)}")
        return value

    def argument(self, key: str, parameter: inspect.Parameter, *, minimum: float = -math.inf) -> Any:
        """An argument of a function, as the annotation says that it is written; `minimum` is that of numbers."""
        kind = str(parameter.annotation)
        if kind == "bool":
            return self.flag(key)
        if kind.startswith("Literal"):
            return self.word(key, ast.literal_eval(kind.removeprefix("Literal")))
        if kind.startswith(("Length", "int")):
            return self.length(key, minimum=-1 if parameter.default == -1 else 0)
        if kind.startswith(("Sequence[int]", "Sequence[float]")):
            return [int(each) if each.is_integer() else each for each in self.numbers(key)]
        return self.number(key, minimum=minimum)

    def one_of(self, *keys: str, what: str) -> str | None:
        """The one of some keys that is there; None without any, an error that says `what` they are with several."""
        there = [key for key in keys if key in self]
        if len(there) > 1:
            raise ValueError(f"{there[0]} and {there[1]} contradict each other: each is {what}; leave one out")
        return there[0] if there else None

    def plain(self, key: str, default: Any = None) -> Any:
        """The value as it is."""
        return self._taken(key, default)

    def unread(self) -> list[str]:
        """The keys that nothing has asked for."""
        return [key for key in self._config if key not in self._read]

    def left_out(self, why: Mapping[str, str]) -> dict[str, str]:
        """The unread keys that concern rates or the optimizer, each with its reason, or as unknown to the dialect."""
        unread = [key for key in self.unread() if key in why or key not in self._elsewhere]
        concerned = [key for key in unread if key in why or _CONCERNS.search(key.lower())]
        return {key: why.get(key, "not known to this dialect") for key in concerned if self._config[key] is not None}

    def _required(self, key: str, default: Any) -> Any:
        value = self._taken(key, default)
        if value is None:
            raise ValueError(f"{key} must be given")
        return value

    def _taken(self, key: str, default: Any) -> Any:
        if key not in self._known:
            raise KeyError(f"{key!r} is not among the known keys")
        self._read.add(key)
        value = self._config.get(key)
        if value is None:
            value = default
        return value


def _misspelled(key: str, known: Sequence[str]) -> str | None:
    """The known key that a key looks like: by its last name in its place, or by its place with its name."""
    level, _, last = key.rpartition(".")
    places = [each.rpartition(".") for each in known]
    names = {name: each for each, (place, _, name) in zip(known, places, strict=True) if place == level}
    levels = {place: each for each, (place, _, name) in zip(known, places, strict=True) if name == last}
    near = nearest(last, names, cutoff=_ALIKE)
    return names[near[0]] if near else next((levels[each] for each in nearest(level, levels, cutoff=_ALIKE)), None)


def _as_number(value: object) -> float:
    """A number, or text that is one; NaN for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return math.nan
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.nan


def _within(minimum: float, maximum: float) -> str:
    least = "" if minimum == -math.inf else f" of at least {minimum:,g}"
    return least if maximum == math.inf else f"{least}{' and' if least else ' of'} at most {maximum:,.10g}"


def _unsaid(value: object) -> str:
    """What to do about a value that is said elsewhere."""
    if isinstance(value, str) and "$" in value:
        return "; the file does not set this variable: write its value"
    if isinstance(value, str) and value.lower() == "auto":
        return "; it is filled in by the trainer: write its value"
    return ""
