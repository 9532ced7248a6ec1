"""A torch optimizer's state dict, read: which class it is of, and the state of each parameter by its name here."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxlr import transforms
from jaxlr.dialects.torch.groups import settings
from jaxlr.dialects.torch.parameters import Names, Parameter, grouped_parameters

# torch's class: {torch's name in a parameter's state: (the link's state here, its field)}. AdamW's dicts are Adam's.
LINKS: dict[str, dict[str, tuple[type, str]]] = {
    "SGD": {"momentum_buffer": (transforms.ScaleByMomentumState, "buffer")},
    "RMSprop": {
        "square_avg": (transforms.ScaleByRmspropState, "nu"),
        "grad_avg": (transforms.ScaleByRmspropState, "mu"),
        "momentum_buffer": (transforms.ScaleByMomentumState, "buffer"),
    },
    "Adam": {
        "exp_avg": (transforms.ScaleByAdamState, "mu"),
        "exp_avg_sq": (transforms.ScaleByAdamState, "nu"),
        "max_exp_avg_sq": (transforms.ScaleByAdamState, "nu_max"),
    },
    "NAdam": {
        "exp_avg": (transforms.ScaleByNadamState, "mu"),
        "exp_avg_sq": (transforms.ScaleByNadamState, "nu"),
        "mu_product": (transforms.ScaleByNadamState, "product"),
    },
    "RAdam": {"exp_avg": (transforms.ScaleByRadamState, "mu"), "exp_avg_sq": (transforms.ScaleByRadamState, "nu")},
    "Adagrad": {"sum": (transforms.ScaleByAdagradState, "total")},
    "Adamax": {"exp_avg": (transforms.ScaleByAdamaxState, "mu"), "exp_inf": (transforms.ScaleByAdamaxState, "largest")},
}


@dataclasses.dataclass(frozen=True)
class Saved:
    """A state dict of torch, by the names that the parameters have here."""

    kind: str  # torch's class
    groups: Sequence[Mapping[str, Any]]
    parameters: Sequence[Sequence[Parameter]]  # of each group
    entries: Mapping[str, Mapping[str, Any]]  # name of a parameter: its state, empty if torch has none yet


def read(state_dict: Mapping[str, Any], names: Names) -> Saved:
    """What a state dict has."""
    if not isinstance(state_dict, Mapping) or not {"state", "param_groups"} <= set(state_dict):
        raise TypeError("state_dict must be what a torch optimizer's state_dict() returns, with state and param_groups")
    groups, state = state_dict["param_groups"], state_dict["state"]
    kind = _kind(groups, state)
    for group in groups:
        settings(kind, group)
    parameters = grouped_parameters(groups, names)
    entries = {
        parameter.name: {field: value for field, value in state.get(index, {}).items() if value is not None}
        for group, named in zip(groups, parameters, strict=True)
        for index, parameter in zip(group["params"], named, strict=True)
    }
    return Saved(kind, groups, parameters, entries)


def _kind(groups: Sequence[Mapping[str, Any]], state: Mapping[Any, Mapping[str, Any]]) -> str:
    """Torch's class, which a state dict does not name: from the settings that only it has."""
    held = set(groups[0]) if groups else set()
    if "betas" in held:
        saved = {field for entry in state.values() for field in entry}
        own = {"amsgrad": "Adam", "momentum_decay": "NAdam"}
        found = next((kind for setting, kind in own.items() if setting in held), None)
        return found or ("Adamax" if "exp_inf" in saved or "decoupled_weight_decay" not in held else "RAdam")
    for setting, kind in {"dampening": "SGD", "centered": "RMSprop", "lr_decay": "Adagrad"}.items():
        if setting in held:
            return kind
    raise ValueError(
        f"state_dict is of none of torch's {', '.join(LINKS)} and AdamW: its groups hold {', '.join(sorted(held))}"
    )


def array(value: Any) -> np.ndarray:
    """A tensor or array as one of NumPy's, which has no bfloat16."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.float() if str(value.dtype) == "torch.bfloat16" else value
    return np.asarray(value)
