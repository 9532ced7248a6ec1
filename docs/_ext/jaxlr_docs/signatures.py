"""Signatures as they are written in the source: short names of types, defaults as a reader would type them."""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
import typing
from collections.abc import Mapping
from typing import Any

# Words for what a reader need not see in full.
SHORT = {
    "optax.": "",
    "typing.": "",
    "jax.Array": "Array",
    "os.PathLike[str]": "Path",
    "np.ndarray": "Array",
    "jnp.ndarray": "Array",
    "collections.abc.": "",
    "NumberOrSchedule": "Rate",
}


def signature(thing: Any) -> str:
    """The arguments in brackets and the result, from the source of a function or of a class."""
    node = _node(thing)
    if node is None:
        return _inspected(thing)
    if isinstance(node, ast.ClassDef):
        return _of_class(thing, _with_words(node, vars(sys.modules[thing.__module__])))
    return _of_function(_with_words(node, inspect.unwrap(thing).__globals__))


class _Words(ast.NodeTransformer):
    """Puts the words of a `Literal` in the place of the name that a module gives it."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.expr:
        value = self.names.get(node.id)
        if typing.get_origin(value) is not typing.Literal:
            return node
        return ast.parse(f"Literal[{', '.join(map(repr, typing.get_args(value)))}]", mode="eval").body


def _with_words(node: ast.AST, names: Mapping[str, Any]) -> ast.AST:
    for each in ast.walk(node):
        if isinstance(each, ast.arg) and each.annotation is not None:
            each.annotation = _Words(names).visit(each.annotation)
    return node


def _node(thing: Any) -> ast.AST | None:
    try:
        source = textwrap.dedent(inspect.getsource(inspect.unwrap(thing)))
        return ast.parse(source).body[0]
    except (OSError, TypeError, SyntaxError):
        return None


def _of_function(node: ast.AST, skip_self: bool = False) -> str:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return "()"
    arguments = _without_self(node.args) if skip_self else node.args
    for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg):
        if each is not None and each.annotation is not None:
            each.annotation = _shortened(each.annotation)
    text = _spaced(ast.unparse(arguments))
    result = f" -> {ast.unparse(_shortened(node.returns))}" if node.returns and not skip_self else ""
    return f"({text}){'' if result == ' -> None' else result}"


def _without_self(arguments: ast.arguments) -> ast.arguments:
    if arguments.posonlyargs:
        arguments.posonlyargs = arguments.posonlyargs[1:]
    else:
        arguments.args = arguments.args[1:]
    return arguments


def _spaced(text: str) -> str:
    """`x: T=1` as `x: T = 1`, as the source has it."""
    return re.sub(r"(: [^=]*?[\w\])'\"])=(?=\S)", r"\1 = ", text)


def _shortened(node: ast.AST) -> ast.expr:
    text = ast.unparse(node).strip("'\"")
    for long, short in SHORT.items():
        text = text.replace(long, short)
    return ast.parse(text, mode="eval").body


def _of_class(thing: type, node: ast.ClassDef) -> str:
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            return _of_function(item, skip_self=True)
    if "__init__" in vars(thing) or hasattr(thing, "_fields"):
        fields = [item for item in node.body if isinstance(item, ast.AnnAssign)]
        shown = []
        for item in fields:
            default = f" = {ast.unparse(item.value)}" if item.value is not None else ""
            if "field(" in default:
                default = " = ..."
            shown.append(f"{ast.unparse(item.target)}: {ast.unparse(_shortened(item.annotation))}{default}")
        return f"({', '.join(shown)})"
    return ""


def _inspected(thing: Any) -> str:
    try:
        return re.sub(r"<(function|class) (\S+) at 0x\w+>", r"\2", str(inspect.signature(thing)))
    except (TypeError, ValueError):
        return ""


def fields(thing: type) -> list[tuple[str, str]]:
    """Name and comment of each field of a state: its dtype, its shape and its meaning stand beside it in the source."""
    try:
        source = inspect.getsource(thing)
    except (OSError, TypeError):
        return []
    return re.findall(r"^    (\w+): [^#\n]*#\s*(.+)$", source, re.MULTILINE)


def signature_of_method(function: Any, bound: bool) -> str:
    """As `signature`, without the object or class that a method is called on."""
    node = _node(function)
    if not isinstance(node, ast.FunctionDef):
        return "()"
    result = node.returns
    text = _of_function(node, skip_self=bound)
    return text + (f" -> {ast.unparse(_shortened(result))}" if bound and result is not None else "")
