"""The lines that people have, as the calls that `jaxlr port` reads."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from typing import Any

from jaxlr import dialects

_PATH = re.compile(rf"(?<![\w.])(?:tf\.)?({'|'.join(dialects.FRAMEWORKS)})\.(?:[a-z_]+\.)*(\w+)\(")
_TORCH = re.compile(r"(?<![\w.])(?:optim\.)?(?:lr_scheduler|optim|swa_utils)\.(\w+)\(")
_ASSIGNED = re.compile(r"^\s*[\w.]+\s*=(?!=)\s*(?=\S)")
_OPTIMIZER = re.compile(r"(\w+_)?(opt|optim|optimizer)(_\w+)?")


def recipes() -> dict[str, Callable[..., Any]]:
    """What a recipe may call: the names of the dialects, with the framework in front."""
    return {
        f"{framework}.{name}": getattr(getattr(dialects, framework), name)
        for framework in dialects.FRAMEWORKS
        for name in getattr(dialects, framework).__all__
        if not name.startswith("from_") and callable(getattr(getattr(dialects, framework), name))
    }


def shortened(recipe: str) -> str:
    """The call alone, with the framework alone in front of its name, and without an optimizer where none is needed.

    Example:
      >>> shortened("scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.5, total_steps=10)")
      'torch.OneCycleLR(0.5, max_lr=0.5, total_steps=10)'
      >>> shortened("lr_scheduler.StepLR(optimizer, 30)")
      Traceback (most recent call last):
      ...
      ValueError: write the learning rate in place of 'optimizer', as in torch.StepLR(0.1, 30)
    """
    text = _TORCH.sub(r"torch.\1(", _PATH.sub(r"\1.\2(", _ASSIGNED.sub("", recipe)))
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError:
        return text  # whoever reads it next says so
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return ast.unparse(tree) if [call for call in calls if _without_optimizer(call)] else text


def _without_optimizer(call: ast.Call) -> bool:
    """Takes an optimizer out of a call, and says whether there was one."""
    name = ast.unparse(call.func)
    at = next((i for i, argument in enumerate(call.args) if _is_optimizer(argument)), None)
    named = next((each for each in call.keywords if each.arg == "optimizer" or _is_optimizer(each.value)), None)
    if at is None and named is None:
        return False
    written = ast.unparse(call.args[at] if at is not None else named.value)  # pyright: ignore[reportOptionalMemberAccess]
    rest = [each for each in call.keywords if each is not named]
    make = recipes().get(name)
    known = {} if make is None else inspect.signature(make).parameters
    composed = "schedules" in known
    rateless = "lr" in known and "max_lr" in known and known["max_lr"].default is inspect.Parameter.empty
    if composed:
        call.args = [argument for i, argument in enumerate(call.args) if i != at]
        for each in rest:
            each.arg = "schedules" if each.arg == "schedulers" else each.arg
    else:
        peak = next((each.value for each in rest if each.arg == "max_lr"), None) if rateless else None
        rate = peak or ast.Constant(0.1)
        call.args = [rate if i == at else argument for i, argument in enumerate(call.args)]
        rest = rest if at is not None else [ast.keyword("lr", rate), *rest]
    call.keywords = rest
    if not rateless and not composed:  # a schedule that has peaks of its own asks for no rate
        raise ValueError(f"write the learning rate in place of {written!r}, as in {ast.unparse(call)}")
    return True


def _is_optimizer(argument: ast.expr) -> bool:
    last = argument.id if isinstance(argument, ast.Name) else getattr(argument, "attr", "")
    return bool(_OPTIMIZER.fullmatch(last))
