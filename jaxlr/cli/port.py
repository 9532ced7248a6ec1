"""`jaxlr port`."""

import ast
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
from jaxlr.schedules.text import read_call
from jaxlr.transforms.rate.controller import Controller
from jaxlr.typing import PyTree

_PATH = re.compile(rf"(?<![\w.])(?:tf\.)?({'|'.join(dialects.FRAMEWORKS)})\.(?:[a-z_]+\.)*(\w+)\(")
_OPTIMIZER = re.compile(r"[(=]\s*((?:base_)?(?:opt|optim|optimizer))\s*[,)]")
_CYCLED = re.compile(r"torch\.(OneCycleLR|CyclicLR)\(")
_YOURS = "or the one of your recipe"
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
        recipe = shortened(options.recipe)
        ported = read_call(recipe, recipes(), what="recipe")
        lines = python_lines(recipe, ported)
        figure = None
        if isinstance(ported, Schedule):
            steps = ported.span() if options.steps is None else options.steps
            figure = plotting.plot_schedules({options.recipe: ported}, steps)
            plotting.save_figure(figure, out)
    print("\n".join(lines))
    if figure is not None:
        print(f"\n{out}")


def recipes() -> dict[str, Callable[..., Any]]:
    """What a recipe may call: the names of the dialects, with the framework in front."""
    return {
        f"{framework}.{name}": getattr(getattr(dialects, framework), name)
        for framework in dialects.FRAMEWORKS
        for name in getattr(dialects, framework).__all__
        if not name.startswith("from_") and callable(getattr(getattr(dialects, framework), name))
    }


def shortened(recipe: str) -> str:
    """The recipe with the framework alone in front of a name, as in `torch.StepLR`.

    Raises:
      ValueError: an optimizer stands where its rate belongs.
    """
    if found := _OPTIMIZER.search(recipe):
        raise ValueError(f"write the learning rate in place of {found[1]!r}, as in torch.StepLR(0.1, step_size=30)")
    return _PATH.sub(r"\1.\2(", recipe)


def python_lines(recipe: str, ported: object) -> list[str]:
    """Python that makes the same with jaxlr.

    Raises:
      ValueError: the recipe makes neither a schedule nor a rule nor an optimizer.
    """
    head = ["import jaxlr", ""]
    if isinstance(ported, Schedule):
        lines = [*head, f"schedule = {qualified(repr(ported))}"]
        if moving := momentum_of(recipe):
            lines += [f"momentum = {qualified(repr(moving))}  # PyTorch moves it too"]
            return [*lines, f"optimizer = jaxlr.sgd(schedule, momentum=momentum)  # {_YOURS}"]
        return [*lines, f"optimizer = jaxlr.adam(schedule)  # {_YOURS}"]
    if isinstance(ported, Controller):
        after = "opt_state = jaxlr.observe(opt_state, metric)  # once an epoch"
        return [*head, f"rule = {of_dialects(recipe)}", f"optimizer = jaxlr.adam(rule)  # {_YOURS}", after]
    if isinstance(ported, optax.GradientTransformation):
        lines = [*head, f"optimizer = {of_dialects(recipe)}  # {' -> '.join(links(ported.init(jnp.zeros(1))))}"]
        if _CYCLED.search(recipe) and "cycle_momentum=False" not in recipe:
            lines += ["# PyTorch moves the momentum too: see what `jaxlr port` says of the schedule alone"]
        return lines
    raise ValueError(f"recipe {recipe!r} is neither a schedule nor an optimizer")


def momentum_of(recipe: str) -> Schedule | None:
    """The momentum that PyTorch's scheduler moves beside the rate."""
    names = {"torch.OneCycleLR": "torch.one_cycle_momentum", "torch.CyclicLR": "torch.cyclic_momentum"}
    call = ast.parse(recipe.strip(), mode="eval").body
    name = ast.unparse(call.func) if isinstance(call, ast.Call) else None  # not arithmetic of schedules
    if name not in names or "cycle_momentum=False" in recipe:
        return None
    return read_call(recipe.replace(name, names[name], 1), recipes(), what="recipe")


def of_dialects(recipe: str) -> str:
    """The recipe as Python, with jaxlr's modules in front of the frameworks' names."""
    return re.sub(rf"(?<![\w.])({'|'.join(dialects.FRAMEWORKS)})\.(?=\w+\()", r"jaxlr.dialects.\1.", recipe)


def qualified(text: str) -> str:
    """A schedule's text as Python with the module in front of each family."""

    def with_module(match: re.Match[str]) -> str:
        name = match[1]
        if name not in FAMILIES:
            return match[0]
        return f"jaxlr.{name}(" if hasattr(jaxlr, name) else f"jaxlr.schedules.{name}("

    return re.sub(r"(?<![\w.])(\w+)\(", with_module, text)


def links(state: PyTree) -> list[str]:
    """The links of a chain, by the names of their states: ScaleByAdamState is scale_by_adam's."""
    nodes = jax.tree.leaves(state, is_leaf=lambda node: hasattr(node, "_fields"))
    names = [type(node).__name__ for node in nodes if hasattr(node, "_fields")]
    return [
        re.sub(r"(?<!^)(?=[A-Z])", "_", name.removesuffix("State")).lower() for name in names if name != "EmptyState"
    ]
