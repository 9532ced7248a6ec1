"""Optimizer states as flat dictionaries whose names outlive a change of the chain."""

from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import DictKey, GetAttrKey, SequenceKey

from jaxlr.transforms.parameters import paths
from jaxlr.transforms.parameters.paths import Path
from jaxlr.transforms.records import numbers_in
from jaxlr.transforms.state import walk as states
from jaxlr.transforms.state.counts import COUNTS
from jaxlr.transforms.waiting import CORRECTED, RECORDS

VERSION = 1
_VERSION_NAME = "jaxlr_state_version"
_TRAINED = "trained:"
# The links whose count a schedule is asked for, of jaxlr and of Optax.
_CLOCKS = ("scale_by_learning_rate", "scale_by_schedule", "inject_hyperparams", "inject_stateful_hyperparams")
# Optax' states in which a parameter may begin with what `init` gives it, whatever their integers say.
_OPEN = ("MultiStepsState", "ScaleByLionState", "ScheduleFreeState")
# The means of an accumulation, and what counts the gradients in them.
_WINDOWS = {"mean": "micro_step", "acc_grads": "mini_step"}


class _Entry(NamedTuple):
    """A leaf of an optimizer state."""

    name: str
    leaf: Any
    link: str  # the beginning of its name
    kind: str  # of the link, without its label and number
    scope: str  # the label of the link, or of all groups of parameters where it is that of one
    state: Any  # the innermost state that holds it
    field: str  # of that state
    is_field: bool  # whether it is the field itself


@dataclasses.dataclass(frozen=True)
class LoadReport:
    """What `load_state_dict` did, by name."""

    restored: tuple[str, ...]  # taken from the dictionary
    missing: tuple[str, ...]  # in the optimizer only: as initialized
    extra: tuple[str, ...]  # in the dictionary only: not used
    misshapen: tuple[str, ...]  # of another shape in the dictionary: as initialized

    def __str__(self) -> str:
        lines = [f"{len(self.restored)} restored"]
        for word, names in (("missing", self.missing), ("extra", self.extra), ("misshapen", self.misshapen)):
            lines += [f"{len(names)} {word}: {', '.join(names)}"] if names else []
        return "\n".join(lines)


def state_dict(x: Any) -> dict[str, Any]:
    """An optimizer state as a flat dictionary, for `orbax` or any other store.

    A name tells the link, its field and the parameter: `scale_by_adam/mu/dense/kernel`. It does not depend on where in
    the chain the link stands, so the dictionary fits a chain with other links around it. The arrays are the state's
    own: store them before a step that donates the state.

    Args:
      x: as for `current_learning_rate`.

    Returns:
      Name -> array, and the version of the naming.

    Example:
      >>> import jax.numpy as jnp
      >>> from jaxlr.optimizers import sgd
      >>> for name, leaf in state_dict(sgd(0.1, momentum=0.9).init({"w": jnp.ones(2)})).items():
      ...   print(name, leaf)
      jaxlr_state_version 1
      scale_by_momentum/count 0
      scale_by_momentum/momentum 0.9
      scale_by_momentum/buffer/w [0. 0.]
      scale_by_learning_rate/count 0
      scale_by_learning_rate/learning_rate 0.1
      scale_by_learning_rate/written 0.1
      scale_by_learning_rate/overridden 0
      scale_by_learning_rate/override 0.0
      scale_by_learning_rate/base 0.1
      scale_by_learning_rate/factor 1.0
      scale_by_learning_rate/share 1.0
    """
    opt_state = states.as_arrays(states.opt_state_of(x))
    return {_VERSION_NAME: np.asarray(VERSION, np.int32), **{name: leaf for name, leaf, *_ in _entries_once(opt_state)}}


def load_state_dict(x: Any, saved: Mapping[str, Any]) -> tuple[Any, LoadReport]:
    """Puts into an optimizer state what a dictionary from `state_dict` has for it.

    What the dictionary lacks, or has in another shape, stays as it is in `x`. Dtypes and sharding are those of `x`.

    Args:
      x: a freshly initialized optimizer state, or a container as for `current_learning_rate`.
      saved: name -> array.

    Returns:
      The container that was given (a new one, or an `nnx.Optimizer` itself, written in place), and a report.

    Raises:
      ValueError: `saved` is not from `state_dict`, or from a newer version of it; or nothing in it fits, as where it is
        of an Optax optimizer; or it has counts but not that of a schedule, which would begin at 0 beside them; or it
        has no moments for a parameter whose link, such as Adam, has made updates: under its count, moments of 0 make
        steps of up to 3 times the rate; or no mean for one in the middle of an accumulation's window.

    Example:
      >>> import jax.numpy as jnp, optax
      >>> from jaxlr.optimizers import sgd
      >>> from jaxlr.transforms import clip_by_global_norm
      >>> params = {"w": jnp.ones(2)}
      >>> saved = state_dict(sgd(0.1).init(params))
      >>> chain = optax.chain(clip_by_global_norm(1.0), sgd(lambda n: 0.1 / (1 + n), momentum=0.9))
      >>> state, report = load_state_dict(chain.init(params), saved)
      >>> print(report)
      8 restored
      3 missing: scale_by_momentum/count, scale_by_momentum/momentum, scale_by_momentum/buffer/w
    """
    if _VERSION_NAME not in saved:
        raise ValueError(f"saved must come from jaxlr.state_dict: it has no {_VERSION_NAME}; {_FROM_OPTAX}")
    if int(saved[_VERSION_NAME]) > VERSION:
        raise ValueError(f"saved is of version {int(saved[_VERSION_NAME])}; this jaxlr knows versions up to {VERSION}")
    opt_state = states.as_arrays(states.opt_state_of(x))
    entries = _entries_once(opt_state)
    saved = _as_now(saved, [entry.name for entry in entries])
    fits = {name: name in saved and np.shape(saved[name]) == np.shape(leaf) for name, leaf, *_ in entries}
    if fits and not any(fits.values()) and len(saved) > 1:
        theirs = next(name for name in saved if name != _VERSION_NAME)
        raise ValueError(
            f"nothing in saved fits this optimizer: it has {theirs} and such, the optimizer {entries[0].name}; "
            f"{_FROM_OPTAX}"
        )
    if states.is_unnamed(opt_state) and not all(fits.values()):
        raise ValueError(
            "not all of saved fits, and the kinds of links are not known in this state, as nnx.state leaves it: give "
            "the nnx.Optimizer itself to state_dict and load_state_dict"
        )
    _require_clocks(entries, fits, saved)
    _require_no_latecomer(entries, fits, saved)
    _require_whole_windows(entries, fits, saved)
    with jax.transfer_guard_host_to_device("allow"):
        leaves = [_like(leaf, saved[name]) if fits[name] else leaf for name, leaf, *_ in entries]
    report = LoadReport(
        restored=tuple(name for name in fits if fits[name]),
        missing=tuple(name for name in fits if name not in saved),
        extra=tuple(name for name in saved if name not in fits and name != _VERSION_NAME),
        misshapen=tuple(name for name in fits if name in saved and not fits[name]),
    )
    new = jax.tree.unflatten(jax.tree.structure(opt_state), leaves)
    return states.with_opt_state(x, new), report


_FROM_OPTAX = "jaxlr.from_optax_state takes over a state of Optax' optimizers, and to_optax_state gives one back"


def _require_clocks(entries: list[_Entry], fits: Mapping[str, bool], saved: Mapping[str, Any]) -> None:
    """Raises where a schedule would begin at 0 beside what has made updates."""
    for clock in entries:
        if clock.kind not in _CLOCKS or clock.field != "count" or fits[clock.name]:
            continue
        made = {
            other.name: int(saved[other.name])
            for other in entries
            if other.field in COUNTS and _is_number(other) and fits[other.name] and _is_within(other, clock.scope)
        }
        if count := max(made.values(), default=0):
            name = max(made, key=lambda each: made[each])
            raise ValueError(
                f"saved has no {clock.name}, and {name} is {count:,}: the schedule would begin at 0 beside it; "
                f"{_FROM_OPTAX}; else give the count, as dict(saved) | {{{clock.name!r}: {count}}}, or 0 "
                "where the schedule is to begin anew"
            )


def _is_within(entry: _Entry, scope: str) -> bool:
    return not scope or entry.scope == scope or entry.scope.startswith(f"{scope}/")


def _require_no_latecomer(entries: list[_Entry], fits: Mapping[str, bool], saved: Mapping[str, Any]) -> None:
    """Raises where a parameter would begin with moments of 0 under a count that corrects for more than none."""
    late = {entry.link: entry.name for entry in reversed(entries) if not fits[entry.name] and _is_moment(entry)}
    for link, name in late.items():
        counts = (entry.name for entry in entries if entry.link == link and _is_number(entry) and fits[entry.name])
        if made := max((int(saved[count]) for count in counts), default=0):
            raise ValueError(
                f"saved has no {name} that fits, and {link} has made {made:,} updates, so the first steps of that "
                "parameter would be too long, of Adam by up to sqrt(1 / (1 - b2)) times: give it a link of its own "
                f"with optax.partition, or leave out of saved what begins with {link!r}, so that all its moments begin "
                "anew"
            )


def _require_whole_windows(entries: list[_Entry], fits: Mapping[str, bool], saved: Mapping[str, Any]) -> None:
    """Raises where the mean of a parameter would count micro-steps that it has not seen."""
    late = {entry.link: entry for entry in reversed(entries) if not fits[entry.name] and entry.field in _WINDOWS}
    for link, entry in late.items():
        place = f"{link}/{_WINDOWS[entry.field]}"
        if fits.get(place) and int(saved[place]):
            raise ValueError(
                f"saved has no {entry.name} that fits, and {place} is {int(saved[place])}: in the middle of a window, "
                "whose mean would take what that parameter has not seen for 0. Save at the end of one (accumulate ends "
                "it by update(..., flush=True)), or begin it anew: {name: each for name, each in saved.items() if not "
                f"name.startswith({link + '/' + entry.field!r})}} | {{{place!r}: 0}}"
            )


def _is_number(entry: _Entry) -> bool:
    """Whether it is an integer of the link itself, such as its count."""
    return entry.is_field and jnp.ndim(entry.leaf) == 0 and jnp.issubdtype(jnp.result_type(entry.leaf), jnp.integer)


def _is_moment(entry: _Entry) -> bool:
    """Whether a count beside it tells how far it has come from 0; of other people's states, every count may."""
    kind = type(entry.state)
    if kind in CORRECTED:
        return entry.field not in ("count", *RECORDS[kind])
    if kind in RECORDS or kind.__module__.startswith("jaxlr.") or kind.__name__ in _OPEN:
        return False
    is_array = jnp.issubdtype(jnp.result_type(entry.leaf), jnp.inexact) and (jnp.ndim(entry.leaf) or not entry.is_field)
    return bool(is_array) and not entry.field.startswith("hyperparams")


def _as_now(saved: Mapping[str, Any], names: list[str]) -> Mapping[str, Any]:
    """The dictionary in the names of this state: with or without groups of parameters, whose links are `trained:`.

    In one of before rates were kept twice, the record is what the link wrote. In what `nnx.state` leaves a record has a
    name of its own, but in no older one.
    """
    own = set(names)

    def now(name: str) -> str:
        others = (name.removeprefix(_TRAINED), f"{_TRAINED}{name}", f"{name}/recorded")
        return name if name in own else next((other for other in others if other in own and other not in saved), name)

    saved = {now(name): saved[name] for name in saved}
    rates = {name: f"{name.removesuffix('written')}learning_rate" for name in names if name.endswith("/written")}
    return {**saved, **{name: saved[rate] for name, rate in rates.items() if name not in saved and rate in saved}}


def _entries_once(opt_state: Any) -> list[_Entry]:
    """The leaves by name; an error where two have one name."""
    entries = list(_entries(opt_state))
    uses = collections.Counter(entry.name for entry in entries)
    if twice := [name for name, many in uses.items() if many > 1]:
        raise ValueError(
            f"two parameters have the name {twice[0]}, as the keys 'a/b' and 'a' with 'b' in it do: rename one of them"
        )
    return entries


def _entries(opt_state: Any) -> Iterator[_Entry]:
    """The leaves in order; the second link of a kind, in one group, is named `kind#2`, and so on."""
    links: dict[str, list[Path]] = {}
    opt_state = numbers_in(opt_state)
    for path, leaf in jax.tree_util.tree_leaves_with_path(opt_state):
        depth, kind, state = _innermost_state(opt_state, path)
        label = states.label_of(path[:depth])
        link = f"{label}:{kind}" if label else kind
        same = links.setdefault(link, [])
        if path[:depth] not in same:
            same.append(path[:depth])
        number = same.index(path[:depth]) + 1
        link = link if number == 1 else f"{link}#{number}"
        fields = paths.names(path[depth:])
        scope = states.label_of(path[: depth - 2]) if GetAttrKey("groups") in path[:depth][-2:] else label
        field = fields[0] if fields else ""
        yield _Entry(paths.text((link, *fields)), leaf, link, kind, scope, state, field, len(fields) == 1)


def _innermost_state(node: Any, path: Path) -> tuple[int, str, Any]:
    """How deep on a path the last state stands, its kind, as `ScaleByAdamState` is `scale_by_adam`, and itself."""
    depth, kind, state = 0, "state", node
    for position in range(len(path) + 1):
        name = type(node).__name__
        if isinstance(node, tuple) and name.endswith("State"):
            depth, state = position, node
            kind = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.removesuffix("State")).lower()
        if position < len(path):
            node = _child(node, path[position])
    return depth, kind, state


def _child(node: Any, entry: Any) -> Any:
    if isinstance(entry, GetAttrKey):
        return getattr(node, entry.name, None)
    if isinstance(entry, SequenceKey) and isinstance(node, list | tuple):
        return node[entry.idx]
    return node.get(entry.key) if isinstance(entry, DictKey) and isinstance(node, Mapping) else None


def _like(leaf: Any, value: Any) -> Any:
    """A copy of `value` with the dtype and, where it was chosen, the sharding of `leaf`."""
    value = jnp.array(_as_numbers(value, leaf.dtype), dtype=leaf.dtype)
    if isinstance(leaf, jax.Array) and leaf.committed:
        return jax.device_put(value, leaf.sharding)
    return value


def _as_numbers(value: Any, dtype: Any) -> Any:
    """What NumPy's files hold as bytes, since it does not know bfloat16, as the numbers they are."""
    value = value if isinstance(value, jax.Array) else np.asarray(value)
    if value.dtype.kind != "V" or jnp.issubdtype(value.dtype, jnp.floating):
        return value
    if value.dtype.itemsize == 2:  # the one floating-point dtype of two bytes that NumPy has no word for
        return value.view(jnp.bfloat16)
    if value.dtype.itemsize != np.dtype(dtype).itemsize:
        raise ValueError(f"saved holds bytes of the dtype {value.dtype}, which can't be read as {dtype}")
    return value.view(dtype)
