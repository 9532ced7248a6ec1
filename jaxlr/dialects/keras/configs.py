"""Keras' configurations: the dictionaries that `get_config` and `serialize` return."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

import optax

from jaxlr.arguments import meant, nearest
from jaxlr.dialects.keras import ftrl, norms, optimizers, schedules
from jaxlr.dialects.keras.shared import Others
from jaxlr.schedules import Schedule

# By class: what makes it, and the name that Keras gives to an object that was not named.
_CLASSES: dict[str, tuple[Callable[..., Any], str]] = {
    "ExponentialDecay": (schedules.ExponentialDecay, "ExponentialDecay"),
    "PiecewiseConstantDecay": (schedules.PiecewiseConstantDecay, "PiecewiseConstant"),
    "PolynomialDecay": (schedules.PolynomialDecay, "PolynomialDecay"),
    "InverseTimeDecay": (schedules.InverseTimeDecay, "InverseTimeDecay"),
    "CosineDecay": (schedules.CosineDecay, "CosineDecay"),
    "CosineDecayRestarts": (schedules.CosineDecayRestarts, "SGDRDecay"),
    "SGD": (optimizers.SGD, "sgd"),
    "RMSprop": (optimizers.RMSprop, "rm_sprop"),
    "Adam": (optimizers.Adam, "adam"),
    "AdamW": (optimizers.AdamW, "adam_w"),
    "Nadam": (optimizers.Nadam, "nadam"),
    "Adamax": (optimizers.Adamax, "adamax"),
    "Adagrad": (optimizers.Adagrad, "adagrad"),
    "Adadelta": (optimizers.Adadelta, "adadelta"),
    "Lion": (optimizers.Lion, "lion"),
    "Lamb": (norms.Lamb, "lamb"),
    "Adafactor": (norms.Adafactor, "adafactor"),
    "Muon": (norms.Muon, "muon"),
    "Ftrl": (ftrl.Ftrl, "ftrl"),
}


def from_config(config: Mapping[str, Any], class_name: str | None = None) -> Schedule | optax.GradientTransformation:
    """The schedule or optimizer that a Keras 3 configuration describes.

    Args:
      config: what `keras.optimizers.schedules.serialize(schedule)` or `keras.optimizers.serialize(optimizer)` returned,
        which names the class, or what `get_config()` of one of them returned, which does not.
      class_name: the class, for what `get_config()` returned. None looks for the class whose arguments these are, and
        by Keras' own `name` where several have the same.

    Returns:
      A schedule, or an optimizer; its learning rate may be a schedule that was serialized with it.

    Raises:
      ValueError: the class is not known here, or cannot be told.
      TypeError: `config` is no mapping, or has an argument that the class does not have.

    Example:
      >>> from jaxlr.dialects import keras
      >>> keras.from_config({"initial_learning_rate": 0.1, "decay_steps": 100, "alpha": 0.5}, "CosineDecay")
      cosine(init_value=0.1, decay_steps=100, end_value=0.05)
      >>> keras.from_config({"class_name": "InverseTimeDecay", "registered_name": None, "config": {
      ...   "initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5}})
      inverse_time(init_value=0.1, decay_rate=0.5, transition_steps=10)
    """
    if not isinstance(config, Mapping):
        raise TypeError(f"config must be the dictionary that get_config() or serialize() returned, got {config!r}")
    if "class_name" in config:
        if class_name not in (None, config["class_name"]):
            raise ValueError(f"class_name must be that of the config, {config['class_name']!r}, got {class_name!r}")
        if config.get("registered_name"):
            raise ValueError(f"{config['registered_name']!r} is a custom class: {_supported()}")
        return from_config(config.get("config", {}), config["class_name"])
    make = _maker(_told(config) if class_name is None else class_name)
    _check_arguments(config, make)
    arguments = dict(config)
    if isinstance(arguments.get("learning_rate"), Mapping):
        arguments["learning_rate"] = from_config(arguments["learning_rate"])
    return make(**arguments)


def _maker(class_name: str) -> Callable[..., Any]:
    if class_name not in _CLASSES:
        near = nearest(str(class_name), _CLASSES)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"unknown Keras class {class_name!r}: {hint}{_supported()}")
    return _CLASSES[class_name][0]


def _told(config: Mapping[str, Any]) -> str:
    """The class of a configuration that does not say it: by its arguments, then by the name that Keras gave."""
    fitting = [name for name, (make, _) in _CLASSES.items() if _written(make) == set(config)]
    stem = re.sub(r"_\d+$", "", str(config.get("name")))
    named = [name for name in fitting if _CLASSES[name][1] == stem]
    found = fitting if len(fitting) == 1 else named
    if len(found) != 1:
        among = f"one of {', '.join(fitting)} by its arguments" if fitting else f"{_supported()}"
        raise ValueError(f"class_name must be given: nothing in the config tells the class; it is {among}")
    return found[0]


def _check_arguments(config: Mapping[str, Any], make: Callable[..., Any]) -> None:
    known = _written(make)
    for name in config:
        if name not in known:
            raise TypeError(f"{make.__name__} has no argument {name!r}{meant(str(name), sorted(known))}")


def _written(make: Callable[..., Any]) -> set[str]:
    """The arguments that `get_config()` writes."""
    names = set(inspect.signature(make).parameters)
    return (names | set(Others.__annotations__)) - {"mask", "others"} if "others" in names else names


def _supported() -> str:
    return f"supported are {', '.join(_CLASSES)}"
