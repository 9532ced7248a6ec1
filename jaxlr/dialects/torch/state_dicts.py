"""The state dicts of torch's optimizers, in and out: a run that torch began goes on here, and back.

They are read as `torch.load` gives them, with tensors or arrays; torch itself is not needed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxlr import transforms
from jaxlr.dialects.torch.groups import one_for_each
from jaxlr.dialects.torch.parameters import Names, Parameter, nearest, path_name
from jaxlr.dialects.torch.saved import LINKS, Saved, array, read
from jaxlr.transforms import hyperparameters
from jaxlr.transforms.hyperparameters import NumberOrSchedule
from jaxlr.transforms.parameters.paths import Path
from jaxlr.transforms.rate.learning_rate import heard
from jaxlr.transforms.records import numbers_in
from jaxlr.transforms.state import walk as states
from jaxlr.typing import PyTree

_SCALING = tuple({kind: None for row in LINKS.values() for kind, _ in row.values()})
_COUNTED = (*_SCALING, transforms.AddWeightDecayState, transforms.ScaleByLearningRateState)
# Where each records its momentum: those with a mean of gradients as b1.
_MOMENTUM: dict[type, str] = {row["exp_avg"][0]: "b1" for row in LINKS.values() if "exp_avg" in row}
_MOMENTUM[transforms.ScaleByMomentumState] = "momentum"
_ONE_A_LINK = "mu_product"  # torch keeps it for every parameter, a link here once


def load_optimizer_state(
    opt_state: PyTree, state_dict: Mapping[str, Any], *, names: Names = None, count: int | None = None
) -> PyTree:
    """Puts a torch optimizer's state dict into the state of the same optimizer here, which then goes on from there.

    The moments, the count and with it the place in every schedule are those of torch. The recorded learning rate and
    momentum become those of torch's groups, which are of the coming update. A parameter that torch has no state for,
    since it never had a gradient, keeps its zeros. Adam's dict fits AdamW and the other way round, as in torch.

    Args:
      opt_state: a freshly initialized state of one of this module's optimizers, or of `from_optimizer`'s, or a
        container of it as for `current_learning_rate`.
      state_dict: `optimizer.state_dict()`.
      names: what the parameters are called here: a list in the order of the optimizer's parameters
        (`[name for name, _ in model.named_parameters()]`, say), or a mapping from torch's names if the optimizer was
        made from `named_parameters()`; None takes those. Dots are slashes. Where the layouts differ, a pair of the name
        and the axes for `numpy.transpose`: `("dense/kernel", (1, 0))` for a Linear's weight,
        `("conv/kernel", (2, 3, 1, 0))` for a Conv2d's.
      count: updates applied so far; needed for SGD, which does not save it (a scheduler does: its `last_epoch`).

    Returns:
      The container that was given: a new one, or an `nnx.Optimizer` itself, written in place.

    Raises:
      TypeError, ValueError: the state dict is of another optimizer, with other options, or of another version of torch;
        `names` does not fit the parameters, or a shape differs; the count is missing, or not the same everywhere.

    Example:
      >>> import jax.numpy as jnp
      >>> from jaxlr import current_learning_rate
      >>> from jaxlr.dialects.torch.optimizers import SGD
      >>> group = dict(lr=0.25, momentum=0.5, dampening=0, weight_decay=0, nesterov=False, maximize=False, foreach=None,
      ...              differentiable=False, fused=None, params=[0])
      >>> saved = {"state": {0: {"momentum_buffer": jnp.array([2.0])}}, "param_groups": [group]}
      >>> optimizer = SGD(lr=0.25, momentum=0.5)
      >>> state = load_optimizer_state(optimizer.init({"w": jnp.zeros(1)}), saved, names=["w"], count=7)
      >>> updates, state = optimizer.update({"w": jnp.array([1.0])}, state)
      >>> float(updates["w"][0])
      -0.5
    """
    saved = read(state_dict, names)
    fields = _fields(opt_state, saved.kind)
    _check_entries(saved, fields)
    _check_names(opt_state, saved, fields)
    count = _count(saved, count)
    axes = {parameter.name: parameter.axes for group in saved.parameters for parameter in group}
    for field in fields:
        kind, own = LINKS[saved.kind][field]
        load = _one_a_link(field, saved.entries) if field == _ONE_A_LINK else _moments(field, own, saved.entries, axes)
        opt_state = states.change_states(opt_state, kind, load)
    for kind in _COUNTED:
        opt_state = states.change_states(opt_state, kind, lambda s: s._replace(count=jnp.full_like(s.count, count)))
    return _with_records(opt_state, saved.groups)


def optimizer_state_dict(
    opt_state: PyTree,
    like: Mapping[str, Any],
    *,
    names: Names = None,
    schedule: NumberOrSchedule | Sequence[NumberOrSchedule] | None = None,
    momentum: NumberOrSchedule | Sequence[NumberOrSchedule] | None = None,
    tensor: Callable[[np.ndarray], Any] = np.asarray,
) -> dict[str, Any]:
    """The state of an optimizer here as the state dict of the same torch optimizer, which then goes on from there.

    `torch_optimizer.load_state_dict(optimizer_state_dict(state, torch_optimizer.state_dict(), tensor=torch.tensor))`

    Args:
      opt_state: as for `current_learning_rate`.
      like: the state dict of the torch optimizer that will go on; its groups' numbers, the rate and the momentum apart,
        stand in the result, its state does not.
      names: as for `load_optimizer_state`.
      schedule: the learning rate, whose value for the coming update stands as `lr`: a number or a schedule, or a list
        with one for each group. None takes the rate of the last update.
      momentum: likewise for `momentum` or `betas[0]`.
      tensor: makes what torch can load from an array: `torch.tensor`.

    Returns:
      A state dict.

    Raises:
      TypeError, ValueError: as for `load_optimizer_state`.

    Example:
      >>> import jax.numpy as jnp
      >>> from jaxlr.dialects.torch.optimizers import Adagrad
      >>> group = dict(lr=0.25, lr_decay=0, eps=1e-10, weight_decay=0, initial_accumulator_value=0, maximize=False,
      ...              foreach=None, differentiable=False, fused=None, params=[0])
      >>> optimizer = Adagrad(lr=0.25)
      >>> params = {"w": jnp.zeros(1)}
      >>> _, state = optimizer.update({"w": jnp.array([3.0])}, optimizer.init(params))
      >>> optimizer_state_dict(state, {"state": {}, "param_groups": [group]}, names=["w"])["state"]
      {0: {'step': array(1., dtype=float32), 'sum': array([9.], dtype=float32)}}
    """
    saved = read({**like, "state": {}}, names)
    fields = _fields(opt_state, saved.kind)
    _check_names(opt_state, saved, fields)
    count = _own_count(opt_state)
    moments = {field: _own_moments(opt_state, *LINKS[saved.kind][field]) for field in fields}

    def entry(parameter: Parameter) -> dict[str, Any]:
        back = None if parameter.axes is None else np.argsort(parameter.axes)
        arrays = {field: np.array(moments[field][parameter.name]) for field in fields}
        arrays = {field: array.transpose(back) if array.ndim else array for field, array in arrays.items()}
        if saved.kind != "SGD":
            arrays = {"step": np.array(count, np.float32), **arrays}
        return {field: tensor(array) for field, array in arrays.items()}

    state = {
        index: entry(parameter)
        for group, parameters in zip(saved.groups, saved.parameters, strict=True)
        for index, parameter in zip(group["params"], parameters, strict=True)
        if count > 0  # before the first update torch has none; it takes SGD's buffer for one that has begun
    }
    return {"state": state, "param_groups": _own_groups(opt_state, saved.groups, schedule, momentum, count)}


def _fields(opt_state: PyTree, kind: str) -> list[str]:
    """The fields of torch's class that the state here has a place for."""
    row = LINKS[kind]
    present = {link for link in _SCALING if states.find_states(opt_state, link)}
    wanted = {link for link, _ in row.values()}
    if present - wanted or (kind != "SGD" and not present & wanted):
        held = ", ".join(sorted(link.__name__ for link in present)) or "no moments"
        raise ValueError(f"the state dict is of torch's {kind}, but the optimizer state here has {held}")
    return [
        field
        for field, (link, own) in row.items()
        if any(jax.tree.leaves(getattr(state, own)) for state in states.find_states(opt_state, link).values())
    ]


def _check_entries(saved: Saved, fields: Sequence[str]) -> None:
    for name, entry in saved.entries.items():
        held = set(entry) - {"step"}
        if entry and held != set(fields):
            raise ValueError(
                f"torch's state of {name} has {', '.join(sorted(held)) or 'nothing'}, and the optimizer here "
                f"{', '.join(sorted(fields)) or 'nothing'}: another optimizer, other options (momentum, centered, "
                "amsgrad), or another version of torch than 2.13 or 2.14"
            )


def _check_names(opt_state: PyTree, saved: Saved, fields: Sequence[str]) -> None:
    own = {name for field in fields for name in _own_moments(opt_state, *LINKS[saved.kind][field])}
    begun = any("step" in entry for entry in saved.entries.values())
    for name in sorted(own & {name for name, entry in saved.entries.items() if begun and not entry}):
        raise ValueError(
            f"torch's state has no entry for {name}, never updated there; here all parameters have one count, "
            "under which its first steps would be too long: leave it out with ParameterGroups(frozen=...), or give it "
            "an optimizer of its own with optax.partition"
        )
    for name in sorted(own - set(saved.entries)):
        raise ValueError(f"names has no {name}, a parameter here; the nearest are {nearest(name, saved.entries)}")
    for name in sorted({name for name, entry in saved.entries.items() if entry or not begun} - own):
        if fields:
            raise ValueError(f"names has {name}, which is no parameter here; the nearest are {nearest(name, own)}")


def _count(saved: Saved, count: int | None) -> int:
    steps = {int(array(entry["step"])) for entry in saved.entries.values() if "step" in entry}
    if len(steps) > 1:
        raise ValueError(f"the parameters have been updated {sorted(steps)} times; here all have one count")
    if saved.kind == "SGD":
        if count is None:
            raise ValueError("count must be given: torch's SGD does not save how many updates it has made")
        return count
    step = steps.pop() if steps else 0
    if count not in (None, step):
        raise ValueError(f"count must be None or {step}, the number of updates in the state dict, got {count!r}")
    return step


def _moments(
    field: str, own: str, entries: Mapping[str, Mapping[str, Any]], axes: Mapping[str, tuple[int, ...] | None]
) -> Callable[[Any], Any]:
    """Puts one of torch's fields into one of a link's."""

    def leaf(path: Path, old: jax.Array) -> jax.Array:
        name = path_name(path)
        if field not in entries[name]:
            return old
        moment = array(entries[name][field])
        if axes[name] is not None and moment.ndim == len(axes[name] or ()):
            moment = np.transpose(moment, axes[name])
        if moment.shape != old.shape:
            raise ValueError(
                f"torch's {field} of {name} has the shape {moment.shape}, and here it has {old.shape}: where the "
                f"layouts differ, names must say how, as in ({name!r}, (1, 0))"
            )
        return old.at[...].set(moment)

    return lambda state: state._replace(**{own: jax.tree_util.tree_map_with_path(leaf, getattr(state, own))})


def _one_a_link(field: str, entries: Mapping[str, Mapping[str, Any]]) -> Callable[[Any], Any]:
    """Puts NAdam's product, the same for all parameters of a link, into the link."""

    def load(state: transforms.ScaleByNadamState) -> transforms.ScaleByNadamState:
        names = [path_name(path) for path, _ in jax.tree_util.tree_leaves_with_path(state.mu)]
        values = {float(array(entries[name][field])) for name in names if field in entries[name]}
        if len(values) > 1:
            raise ValueError(f"{field} must be the same for all parameters of a group, got {sorted(values)}")
        return state._replace(product=jnp.full_like(state.product, values.pop() if values else 1.0))

    return load


def _with_records(opt_state: PyTree, groups: Sequence[Mapping[str, Any]]) -> Any:
    """The state with the rate and the momentum of torch's groups in the records of the last update."""
    records: dict[type, str] = {transforms.ScaleByLearningRateState: "learning_rate", **_MOMENTUM}
    for kind, own in records.items():
        for label in states.find_states(opt_state, kind):
            group = _group_of(label, groups)
            value = None if group is None else group["lr"] if own == "learning_rate" else _momentum(group)
            if value is not None:

                def change(state: Any, own: str = own, value: Any = value) -> Any:
                    fields = {f: getattr(state, f) for f in ((own, "written") if own == "learning_rate" else (own,))}
                    return state._replace(**jax.tree.map(lambda leaf: jnp.full_like(leaf, float(value)), fields))

                opt_state = states.change_states(opt_state, kind, change, group=label)
    return opt_state


def _group_of(label: str, groups: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Torch's group of a label that `from_optimizer` gave, or the only one."""
    if len(groups) == 1:
        return groups[0]
    number = re.fullmatch(r"group(\d+)", label)
    return groups[int(number[1])] if number and int(number[1]) < len(groups) else None


def _momentum(group: Mapping[str, Any]) -> Any:
    return group["betas"][0] if "betas" in group else group.get("momentum")


def _own_count(opt_state: PyTree) -> int:
    counts = {int(state.count) for state in states.find_states(opt_state, transforms.ScaleByLearningRateState).values()}
    if len(counts) != 1:
        raise ValueError(f"the optimizer state must have one count of updates, got {sorted(counts) or 'none'}")
    return counts.pop()


def _own_moments(opt_state: PyTree, kind: type, own: str) -> dict[str, Any]:
    """One field of a link by the names of the parameters; a scalar stands for each of the link's."""
    found = {}
    for state in states.find_states(opt_state, kind).values():
        state = states.as_arrays(state)
        field = getattr(state, own)
        tree = jax.tree.map(lambda _, field=field: field, state.mu) if own == "product" else field
        found |= {path_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}
    return found


def _own_groups(
    opt_state: PyTree, groups: Sequence[Mapping[str, Any]], schedule: object, momentum: object, count: int
) -> list[dict[str, Any]]:
    rates = _recorded(opt_state, {transforms.ScaleByLearningRateState: "learning_rate"}, groups)
    momenta = _recorded(opt_state, _MOMENTUM, groups)
    schedules = one_for_each("schedule", schedule, groups)
    shares = one_for_each("momentum", momentum, groups)
    new = []
    for index, group in enumerate(groups):
        changed = {**group, "lr": _coming("schedule", schedules[index], rates.get(index), group["lr"], count)}
        if shares[index] is not None or _momentum(group):
            if _momentum(group) is None:
                raise ValueError(f"momentum must be None for an optimizer without one, got {shares[index]!r}")
            share = _coming("momentum", shares[index], momenta.get(index), _momentum(group), count)
            changed |= {"betas": (share, group["betas"][1])} if "betas" in group else {"momentum": share}
        new.append(changed)
    return new


def _recorded(opt_state: PyTree, records: Mapping[type, str], groups: Sequence[Mapping[str, Any]]) -> dict[int, float]:
    """The number in the records of each of torch's groups, by its place, where there is exactly one."""
    found: dict[int, list[float]] = {}
    for kind, own in records.items():
        for label, state in states.find_states(opt_state, kind).items():
            group, state = _group_of(label, groups), states.as_arrays(state)
            set_by_hand = own == "learning_rate" and bool((state := heard(state)).overridden)
            value = float(state.override if set_by_hand else numbers_in(getattr(state, own)))
            for index in (index for index, known in enumerate(groups) if known is group):
                found.setdefault(index, []).append(value)
    return {index: values[0] for index, values in found.items() if len(set(values)) == 1}


def _coming(argument: str, given: Any, recorded: float | None, old: float, count: int) -> float:
    """The number of the coming update: what was given for it, or else the one that is recorded for the last."""
    if given is not None:
        given = hyperparameters.number_or_schedule(argument, given, minimum=0.0)
        at_count = hyperparameters.at_count(argument, given, jnp.asarray(count, jnp.int32))
        return _digits(float(at_count) if callable(given) else given, old)
    if recorded is None:
        raise ValueError(f"{argument} must be given: no single one is recorded for a group")
    return _digits(recorded, old)


def _digits(new: float, old: float) -> float:
    """The number as torch has it, where it is the same in float32: 0.1 and not 0.10000000149."""
    return float(old) if np.float32(old) == np.float32(new) else new
