"""Which parameter of torch is which parameter here: by name, and in the order of an optimizer's groups."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jaxlr import arguments
from jaxlr.transforms.parameters import paths

Name = str | tuple[str, Sequence[int]]
Names = Mapping[str, Name] | Sequence[Name] | None


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One parameter of a torch optimizer."""

    name: str  # its path here: layer/kernel
    axes: tuple[int, ...] | None  # numpy.transpose's axes from torch's layout to the one here; None: the same layout


def grouped_parameters(param_groups: Sequence[Mapping[str, Any]], names: Names) -> list[list[Parameter]]:
    """The parameters of every group.

    Args:
      param_groups: those of a torch optimizer or of its state dict.
      names: what they are called here, as text or as (text, axes): a list in the order of the optimizer's parameters,
        or a mapping from torch's names. None takes torch's names, which an optimizer made from `named_parameters()`
        has. Dots in a name are slashes.

    Example:
      >>> groups = [{"params": [0], "param_names": ["head.weight"]}]
      >>> grouped_parameters(groups, {"head.weight": ("head/kernel", (1, 0))})
      [[Parameter(name='head/kernel', axes=(1, 0))]]
    """
    sizes = [len(group["params"]) for group in param_groups]
    known = [name for group in param_groups for name in group.get("param_names") or ()]
    parameters = [_parameter(entry) for entry in _chosen(names, known, sum(sizes))]
    taken = [parameter.name for parameter in parameters]
    twice = sorted({name for name in taken if taken.count(name) > 1})
    if twice:
        raise ValueError(f"names must name every parameter once, got {', '.join(twice)} several times")
    rest = iter(parameters)
    return [[next(rest) for _ in range(size)] for size in sizes]


def path_name(path: paths.Path) -> str:
    """The name of a leaf, as in `Parameter.name`."""
    return _slashed(paths.text(paths.names(path)))


def nearest(name: str, known: Iterable[str]) -> str:
    """The known names most like one that is not."""
    return ", ".join(arguments.nearest(name, sorted(known), most=3, cutoff=0.0)) or "none"


def _chosen(names: Names, known: Sequence[str], total: int) -> Sequence[Name]:
    if isinstance(names, str) or not isinstance(names, Sequence | Mapping | None):
        raise TypeError(f"names must be a list of names or a mapping from torch's names, got {names!r}")
    if isinstance(names, Sequence):
        if len(names) != total:
            raise ValueError(
                f"names must have one name for each of the optimizer's {total} parameters, got {len(names)}"
            )
        return names
    if len(known) != total:
        raise ValueError(
            f"names must list what the optimizer's {total} parameters are called here, in its order: "
            "torch knows their names only if the optimizer was made from model.named_parameters()"
        )
    if names is None:
        return known
    missing = [name for name in known if name not in names]
    if missing:
        raise ValueError(f"names has no entry for torch's {missing[0]}; it has {nearest(missing[0], names)}")
    return [names[name] for name in known]


def _parameter(entry: Name) -> Parameter:
    name, axes = (entry, None) if isinstance(entry, str) else entry if _is_pair(entry) else (None, None)
    if not isinstance(name, str):
        raise TypeError(f"names must hold names, or pairs of a name and axes such as ('kernel', (1, 0)), got {entry!r}")
    return Parameter(_slashed(name), None if axes is None else tuple(axes))


def _is_pair(entry: object) -> bool:
    if not isinstance(entry, tuple) or len(entry) != 2 or not isinstance(entry[1], list | tuple):
        return False
    return set(entry[1]) == set(range(len(entry[1])))


def _slashed(name: str) -> str:
    return name.replace(".", "/")
