"""What optimizers and their states print: the call that made them; numbers, and the shapes of what is large."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

import jax
import numpy as np
import optax
from jax.core import Tracer

from jaxlr.transforms.exporting import exportable

_Arguments = ParamSpec("_Arguments")
_State = TypeVar("_State")
STATES: list[Any] = []  # every class marked with `telling`
_SHOWN = 4  # arrays of a tree with their shapes; more are counted


class Described(optax.GradientTransformationExtraArgs):
    """A gradient transformation that prints as the call that made it, and is pickled as that."""

    name: str
    given: Mapping[str, Any]  # what was given beside the defaults, by the name of the parameter
    made: Callable[..., Any] | None = None  # what was called

    def __reduce_ex__(self, protocol: Any) -> Any:
        if self.made is None:
            return super().__reduce_ex__(protocol)
        # By the name under which it is found, as a table of a dialect may have wrapped it.
        return _called, (getattr(sys.modules[self.made.__module__], self.made.__name__, self.made), self.given)

    def __repr__(self) -> str:
        if "name" not in vars(self):  # one that `_replace` or a pytree made of its functions
            return super().__repr__()
        return f"{self.name}({', '.join(f'{name}={value!r}' for name, value in self.given.items())})"


def described(
    factory: Callable[_Arguments, optax.GradientTransformationExtraArgs],
) -> Callable[_Arguments, optax.GradientTransformationExtraArgs]:
    """Lets what a factory returns print as the call.

    Example:
      >>> import jaxlr
      >>> jaxlr.accumulate(jaxlr.adamw(jaxlr.cosine(0.1, 100), weight_decay=0.1), 4)
      accumulate(optimizer=adamw(learning_rate=cosine(init_value=0.1, decay_steps=100), weight_decay=0.1), every=4)
    """
    signature = inspect.signature(factory)

    @functools.wraps(factory)
    def made(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> optax.GradientTransformationExtraArgs:
        plain = factory(*args, **kwargs)
        given = _beside_defaults(signature, signature.bind(*args, **kwargs).arguments)
        return as_call(plain, factory.__name__, given, made)

    return made


def _called(made: Callable[..., Any], given: Mapping[str, Any]) -> Any:
    return made(**given)


def as_call(
    plain: optax.GradientTransformationExtraArgs,
    name: str,
    given: Mapping[str, Any],
    made: Callable[..., Any] | None = None,
) -> Described:
    """A gradient transformation that prints as `name(given)`."""
    described = Described(plain.init, plain.update)
    described.name, described.given, described.made = name, given, made
    return described


def telling(*quiet: str) -> Callable[[type[_State]], type[_State]]:
    """Lets a state print its numbers and the shapes of its arrays, of the fields named here nothing; and be exported.

    Example:
      >>> import jax.numpy as jnp, jaxlr
      >>> state = jaxlr.adam(0.1).init({"kernel": jnp.ones((30, 40)), "bias": jnp.ones(40)})
      >>> state[0]
      ScaleByAdamState(count=0, b1=0.9, mu={'bias': float32[40], 'kernel': float32[30,40]},
                       nu={'bias': float32[40], 'kernel': float32[30,40]})
      >>> state[1]
      ScaleByLearningRateState(count=0, learning_rate=0.1)
    """

    def mark(state: type[_State]) -> type[_State]:
        def text(self: Any) -> str:
            fields = {name: getattr(self, name) for name in self._fields if name not in quiet}
            words = (f"{name}={told(value)!r}" for name, value in fields.items() if _is_something(value))
            return f"{type(self).__name__}({', '.join(words)})"

        state.__repr__ = text
        STATES.append(state)
        return exportable(state)

    return mark


def _beside_defaults(signature: inspect.Signature, bound: Mapping[str, Any]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for name, value in bound.items():
        parameter = signature.parameters[name]
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            given |= value
        elif not _is(value, parameter.default):
            given[name] = value
    return given


def _is(value: Any, default: Any) -> bool:
    return value is default or (
        type(value) is type(default) and isinstance(value, int | float | str) and value == default
    )


class _Text:
    """A word that prints without quotes."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _is_something(value: Any) -> bool:
    return not (isinstance(value, tuple) and not value)


def told(value: Any) -> Any:
    """What stands for a field: itself where it has words of its own."""
    if hasattr(type(value), "_fields"):
        return value
    if isinstance(value, tuple):  # the states of a chain
        return tuple(map(told, value))
    if isinstance(value, dict) and any(isinstance(each, tuple) for each in value.values()):
        return {name: told(each) for name, each in value.items()}
    leaves = jax.tree.leaves(value)
    if len(leaves) <= _SHOWN or not all(hasattr(leaf, "dtype") for leaf in leaves):
        return jax.tree.map(_leaf, value)
    dtypes = " and ".join(sorted({str(leaf.dtype) for leaf in leaves}))
    return _Text(f"<{len(leaves):,} arrays of {sum(np.size(leaf) for leaf in leaves):,} numbers, {dtypes}>")


def _leaf(leaf: Any) -> Any:
    if not hasattr(leaf, "dtype"):
        return leaf
    kind = f"{leaf.dtype}[{','.join(map(str, np.shape(leaf)))}]"
    if np.ndim(leaf) or isinstance(leaf, Tracer | jax.ShapeDtypeStruct):
        return _Text(kind)
    if isinstance(leaf, jax.Array) and (leaf.is_deleted() or not leaf.is_fully_addressable):
        return _Text(f"{kind} deleted" if leaf.is_deleted() else kind)
    known = np.asarray(jax.device_get(leaf))[()]
    return float(str(known)) if isinstance(known, np.floating) else known.item()  # the digits of its dtype alone
