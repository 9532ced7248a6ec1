"""Configuration files of other frameworks, whichever of them wrote it."""

from __future__ import annotations

import fnmatch
import importlib
import inspect
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from jaxlr.dialects.configs import flat
from jaxlr.dialects.reading import read_arguments, read_file
from jaxlr.dialects.recipe import Recipe
from jaxlr.hints import CONFIGURED

__all__ = ["from_arguments", "from_file"]


def from_file(
    path: str | os.PathLike[str], framework: str | None = None, *, steps_per_epoch: float | None = None
) -> Recipe:
    """The schedule, optimizer and groups that a framework's configuration file describes.

    Args:
      path: a file of JSON (`.json`), YAML (`.yaml`, `.yml`), TOML (`.toml`), or, with any other ending, the arguments
        of a command line as a launch script has them.
      framework: whose it is, by the name of its dialect; None to tell by its keys.
      steps_per_epoch: updates in an epoch, for a framework whose files count epochs and do not say it.

    Returns:
      A `Recipe`: `.schedule`, `.make()` for the optimizer, `str()` for Python that makes the same, `.left_out` for what
      could not be carried over.

    Raises:
      ValueError: the file cannot be read as data, its keys are those of no framework or of several, or a key is
        misspelled, contradicts another or is out of range; the message is one line that names it.
      OSError: the file cannot be read.

    Example:
      >>> import tempfile, pathlib
      >>> path = pathlib.Path(tempfile.mkdtemp()) / "ds_config.json"
      >>> _ = path.write_text('{"scheduler": {"type": "WarmupLR", "params": {"warmup_max_lr": 0.001, '
      ...   '"warmup_num_steps": 100, "warmup_type": "linear"}}}')
      >>> from_file(path).schedule
      warmup(schedule=constant(value=0.001), warmup_steps=100).shift(-1)
    """
    return _recipe(str(path), read_file(Path(path)), framework, steps_per_epoch)


def from_arguments(text: str, framework: str | None = None, *, steps_per_epoch: float | None = None) -> Recipe:
    """The same from the arguments of a launch script as text.

    Args:
      text: `--name value`, `--name=value` and `--flag`, as a command line has them; the rest of a script may stand
        around them.
      framework, steps_per_epoch: as for `from_file`.

    Returns:
      A `Recipe`.

    Raises:
      ValueError: as for `from_file`.

    Example:
      >>> recipe = from_arguments("--lr 3e-4 --lr-decay-style cosine --train-iters 1000 --lr-warmup-iters 100")
      >>> recipe.framework, round(float(recipe.schedule(100)), 6)
      ('megatron', 0.0003)
    """
    return _recipe("the text", read_arguments(text), framework, steps_per_epoch)


def _recipe(source: str, config: Mapping[str, Any], framework: str | None, steps_per_epoch: float | None) -> Recipe:
    if framework is None:
        framework = _told(source, config)
    elif framework not in CONFIGURED:
        raise ValueError(f"framework must be one of {', '.join(CONFIGURED)}, got {framework!r}")
    read = _dialect(framework).from_config
    if steps_per_epoch is None:
        return read(config)
    if "steps_per_epoch" not in inspect.signature(read).parameters:
        raise ValueError(f"steps_per_epoch must be left out, got {steps_per_epoch}: {framework} does not count epochs")
    return read(config, steps_per_epoch=steps_per_epoch)


def _dialect(framework: str) -> Any:
    return importlib.import_module(f"jaxlr.dialects.{framework}")


def _told(source: str, config: Mapping[str, Any]) -> str:
    """The framework most of whose signs stand in a configuration."""
    keys = list(flat(config))
    marks = {framework: _signs(_dialect(framework).SIGNS, keys) for framework in CONFIGURED}
    most = max(marks.values(), default=0)
    found = [framework for framework, signs in marks.items() if signs == most]
    if not most:
        known = "; a dialect knows " + ", ".join(f"{name} by {_dialect(name).SIGNS[0]!r}" for name in CONFIGURED)
        raise ValueError(f"{source} has no key by which a framework could be told{known}")
    if len(found) > 1:
        raise ValueError(f"{source} may be of {' or of '.join(found)}: say which with framework")
    return found[0]


def _signs(patterns: Iterable[str], keys: list[str]) -> int:
    return sum(bool(fnmatch.filter(keys, pattern)) for pattern in patterns)
