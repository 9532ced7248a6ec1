"""Configuration files of other frameworks: read as data, never evaluated, and every key accounted for."""

from __future__ import annotations

import json
import math
import re
import shlex
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

from jaxlr.arguments import meant, nearest

__all__ = ["Keys", "arguments_of", "flat", "read_file"]

_ALIKE = 0.83  # of difflib: one letter wrong in six, or two in their order
_LARGEST_FILE, _DEEPEST, _MOST_KEYS = 1_000_000, 32, 10_000
# What a key must look like for a misspelling of it to matter: it speaks of rates, their shape or the optimizer.
_CONCERNS = re.compile(
    r"(^|[._-])(lr|lrs|learning|rate|sched|scheduler|schedule|warm|warmup|cooldown|decay|anneal|optim|optimizer|opt|adam|"
    r"adamw|beta|beta1|beta2|b1|b2|eps|epsilon|momentum|wd|wsd)([._-]|\d|$)"
)
Plain: TypeAlias = "float | int | bool | str | list[Any] | None"


def read_file(path: Path) -> dict[str, Any]:
    """What a configuration file says: JSON, YAML or TOML by its ending, command-line arguments in any other.

    Raises:
      ValueError: the file is too large, nested too deeply, or not written in its format; the message is one line.
      OSError: it cannot be read.
    """
    if path.stat().st_size > _LARGEST_FILE:
        raise ValueError(f"{path} has {path.stat().st_size:,} bytes; a configuration may have {_LARGEST_FILE:,}")
    try:
        text = path.read_text(encoding="utf-8-sig")
        data = _READERS.get(path.suffix.lower(), arguments_of)(text)
    except RecursionError:
        raise ValueError(f"{path} is nested too deeply to be read") from None
    except ValueError as error:
        raise ValueError(f"{path}: {_one_line(error)}") from None
    if not isinstance(data, dict) or not data:
        raise ValueError(f"{path} must hold keys with values, got {type(data).__name__}")
    return data


def arguments_of(text: str) -> dict[str, Any]:
    """The arguments of a command line or a launch script: `--name value`, `--name=value` and `--flag`.

    Words that begin no argument are passed over, so that a whole script may be given; of an argument that stands twice
    the last counts, as argparse has it.

    Raises:
      ValueError: quotes are open, or the value of an argument is a variable of the shell.

    Example:
      >>> arguments_of("torchrun train.py --lr 1e-4 --lr-decay-style=cosine --bf16")
      {'lr': 0.0001, 'lr_decay_style': 'cosine', 'bf16': True}
    """
    # Parentheses and line ends are those of arrays in scripts.
    text = re.sub(r"\\\r?\n", " ", text)
    found: dict[str, Any] = {}
    for line in text.splitlines():
        words = shlex.split(line.replace("(", " ").replace(")", " "), comments=True)
        _read_words(words, found)
    return found


def _read_words(words: list[str], found: dict[str, Any]) -> None:
    position = 0
    while position < len(words):
        match = re.fullmatch(r"--([A-Za-z][\w.-]*)(?:=(.*))?", words[position], re.DOTALL)
        position += 1
        if not match:
            continue
        values = [match[2]] if match[2] is not None else []
        while match[2] is None and position < len(words) and not re.match(r"--?[A-Za-z]", words[position]):
            values.append(words[position])
            position += 1
        name = match[1].replace("-", "_")
        read = [_value(each) for each in values]
        found[name] = True if not read else read[0] if len(read) == 1 else read


def _value(word: str) -> Plain:
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return {"true": True, "false": False, "none": None, "null": None}.get(word.lower(), word)


def _yaml(text: str) -> Any:
    try:
        import yaml
    except ModuleNotFoundError:
        raise ModuleNotFoundError("YAML files need PyYAML: pip install 'jaxlr[plot]'", name="yaml") from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


def _json(text: str) -> Any:
    return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"a number must be finite, got {name}")


_READERS: Mapping[str, Callable[[str], Any]] = MappingProxyType(
    {".json": _json, ".yaml": _yaml, ".yml": _yaml, ".toml": tomllib.loads}
)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with dots between the keys of its levels.

    Raises:
      ValueError: it is nested too deeply, or has too many keys.

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
            if nearest(key, self._known, cutoff=_ALIKE):
                raise ValueError(f"unknown key {key!r}{meant(key, self._known)}")

    def __contains__(self, key: str) -> bool:
        return self._config.get(key) is not None

    def number(self, key: str, default: float | None = None, *, minimum: float = -math.inf) -> float:
        """A finite number; text that is one counts, since YAML reads 1e-4 as text."""
        value = self._taken(key, default)
        try:
            found = float(value) if not isinstance(value, bool) else math.nan
        except (TypeError, ValueError):
            found = math.nan
        if not minimum <= found < math.inf:
            most = "" if minimum == -math.inf else f" of at least {minimum:g}"
            raise ValueError(f"{key} must be a number{most}, got {value!r}")
        return found

    def length(self, key: str, default: int | None = None, *, minimum: int = 0) -> int:
        """A whole number, 1000.0 and 1e3 among them."""
        value = self._taken(key, default)
        found = self.number(key, default)
        if not found.is_integer() or found < minimum or isinstance(value, bool):
            raise ValueError(f"{key} must be a whole number of at least {minimum}, got {value!r}")
        return int(found)

    def word(self, key: str, choices: Iterable[str], default: str | None = None) -> str:
        """One of some words."""
        value = self._taken(key, default)
        choices = list(choices)
        if not isinstance(value, str) or value not in choices:
            near = meant(str(value), choices)
            raise ValueError(
                f"{key} must be one of {', '.join(choices)}, got {value!r}{near if 'mean' in near else ''}"
            )
        return value

    def flag(self, key: str, default: bool = False) -> bool:
        """True or false."""
        value = self._taken(key, default)
        if not isinstance(value, bool):
            raise ValueError(f"{key} must be true or false, got {value!r}")
        return value

    def plain(self, key: str, default: Any = None) -> Any:
        """The value as it is."""
        return self._taken(key, default)

    def unread(self) -> list[str]:
        """The keys that nothing has asked for."""
        return [key for key in self._config if key not in self._read]

    def left_out(self, why: Mapping[str, str]) -> dict[str, str]:
        """Those of the unread keys that concern rates or the optimizer, each with a reason.

        Args:
          why: key -> why nothing stands for it; the others are said to be unknown to the dialect.
        """
        unread = [key for key in self.unread() if key not in self._elsewhere]
        concerned = [key for key in unread if key in why or _CONCERNS.search(key.lower())]
        return {key: why.get(key, "not known to this dialect") for key in concerned if self._config[key] is not None}

    def _taken(self, key: str, default: Any) -> Any:
        if key not in self._known:
            raise KeyError(f"{key!r} is not among the known keys")
        self._read.add(key)
        value = self._config.get(key)
        if value is None:
            value = default
        return value
