"""`jaxlr port`."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import optax
import tyro

import jaxlr
from jaxlr import dialects, plotting
from jaxlr.cli.parsing import input_errors, parse
from jaxlr.schedules import FAMILIES, Schedule
from jaxlr.schedules.notation import read_call
from jaxlr.transforms import ReduceOnPlateau

_FRAMEWORKS = ("torch", "keras", "transformers", "timm", "optax")
_EXAMPLE = '"torch.OneCycleLR(lr=0.1, max_lr=1.0, total_steps=1000)"'


@dataclass(frozen=True)
class PortOptions:
    """Say in jaxlr what a recipe of PyTorch, Keras, Transformers, timm or Optax says."""

    recipe: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RECIPE")] = ""
    """A call in quotes, such as "torch.OneCycleLR(lr=0.1, max_lr=1.0, total_steps=1000)", with the framework's own
    names; the rate stands first where the framework has the optimizer."""
    steps: int | None = None
    """The last update to draw. None: the end of the schedule."""
    out: Path = Path("port.png")
    """The picture's file: .png, .svg or .pdf."""


def run(arguments: Sequence[str]) -> None:
    """`jaxlr port`."""
    options = parse("port", PortOptions, arguments)
    with input_errors():
        if not options.recipe:
            raise ValueError(f"give a recipe in quotes, such as {_EXAMPLE}")
        out = plotting.require_format(options.out)
        ported = read_call(options.recipe, recipes(), what="recipe")
        lines = python_lines(options.recipe, ported)
        figure = None
        if isinstance(ported, Schedule):
            steps = plotting.default_steps(ported.to_dict()) if options.steps is None else options.steps
            figure = plotting.plot_schedules({options.recipe: ported}, steps)
            plotting.save_figure(figure, out)
    print("\n".join(lines))
    if figure is not None:
        print(f"\n{out}")


def recipes() -> dict[str, Callable[..., Any]]:
    """What a recipe may call: the names of the dialects, with the framework in front."""
    return {
        f"{framework}.{name}": getattr(getattr(dialects, framework), name)
        for framework in _FRAMEWORKS
        for name in getattr(dialects, framework).__all__
        if not name.startswith("from_") and callable(getattr(getattr(dialects, framework), name))
    }


def python_lines(recipe: str, ported: Any) -> list[str]:
    """Python that makes the same with jaxlr.

    Raises:
      ValueError: the recipe makes neither a schedule nor a rule nor an optimizer.
    """
    if isinstance(ported, Schedule):
        chain = "optax.chain(jaxlr.scale_by_adam(), jaxlr.scale_by_learning_rate(schedule))"
        return ["import jaxlr, optax", "", f"schedule = {qualified(repr(ported))}", f"optimizer = {chain}"]
    if isinstance(ported, ReduceOnPlateau):
        chain = "optax.chain(jaxlr.scale_by_adam(), jaxlr.scale_by_learning_rate(rule))"
        after = "opt_state = jaxlr.observe(opt_state, metric)  # once an epoch"
        return ["import jaxlr, optax", "", f"rule = jaxlr.dialects.{recipe}", f"optimizer = {chain}", after]
    if isinstance(ported, optax.GradientTransformation):
        state = ported.init(jnp.zeros(1))
        return ["import jaxlr", "", f"optimizer = jaxlr.dialects.{recipe}  # {' -> '.join(links(state))}"]
    raise ValueError(f"recipe {recipe!r} is neither a schedule nor an optimizer")


def qualified(text: str) -> str:
    """A schedule's text as Python with the module in front of each family."""

    def with_module(match: re.Match[str]) -> str:
        name = match[1]
        if name not in FAMILIES:
            return match[0]
        return f"jaxlr.{name}(" if hasattr(jaxlr, name) else f"jaxlr.schedules.{name}("

    return re.sub(r"(?<![\w.])(\w+)\(", with_module, text)


def links(state: Any) -> list[str]:
    """The links of a chain, by the names of their states: ScaleByAdamState is scale_by_adam's."""
    nodes = jax.tree.leaves(state, is_leaf=lambda node: hasattr(node, "_fields"))
    names = [type(node).__name__ for node in nodes if hasattr(node, "_fields")]
    return [
        re.sub(r"(?<!^)(?=[A-Z])", "_", name.removesuffix("State")).lower() for name in names if name != "EmptyState"
    ]
