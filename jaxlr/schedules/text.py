"""The text notation of schedules: what `repr` prints, parsed and never evaluated."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

from jaxlr.arguments import brief, unknown
from jaxlr.hints import hint
from jaxlr.schedules.family import FAMILIES, RECORDS
from jaxlr.schedules.printing import DEEPEST
from jaxlr.schedules.schedule import Schedule

_LONGEST, _MOST_DIGITS = 1_000_000, 500
_LONGEST_REASON = 600  # letters of an error, which may repeat a part of the text
_TOO_DEEP = f"it must be nested at most {DEEPEST} deep"
_DIGITS = re.compile(rf"\d{{{_MOST_DIGITS + 1}}}")
_EPOCHS = re.compile(r"(?<![\w.])((?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)ep\b")
_MARK = "_epochs"
_MARKED = re.compile(rf"{_MARK}\(([^()]*)\)")
_SYMBOLS = {ast.Mult: "*", ast.Add: "+", ast.Sub: "-", ast.Div: "/", ast.Pow: "**"}
_DOTTED = re.compile(r"\w+(\.\w+)*")


def parse(text: str, *, steps_per_epoch: float | None = None) -> Schedule:
    """The schedule that a text describes: a call, as Python would write it, with lengths in updates or epochs.

    Args:
      text: such as `"warmup(cosine(0.1, 10ep), 1ep)"` or `"cosine(0.1, 1000) * 0.5"`. The functions are jaxlr's
        schedules, the arguments numbers, words in quotes, lists and schedules; `10ep` is 10 epochs of updates.
      steps_per_epoch: updates in an epoch, which need not be whole; needed where a length is in epochs. The length is
        rounded to whole updates.

    Returns:
      The schedule. Nothing in the text is run.

    Raises:
      ValueError: the text is no schedule; the message is one line that names what is wrong.

    Example:
      >>> from jaxlr.schedules import parse
      >>> parse("warmup(cosine(0.1, 10ep), 1ep)", steps_per_epoch=100)
      warmup(schedule=cosine(init_value=0.1, decay_steps=1000), warmup_steps=100)
    """
    value = read_call(text, FAMILIES, steps_per_epoch=steps_per_epoch)
    if not isinstance(value, Schedule):
        raise ValueError(
            f"schedule {brief(text)!r} is no schedule; a fixed rate is written constant({brief(text.strip())})"
        )
    return value


def read_call(
    text: str, makers: Mapping[str, Callable[..., Any]], *, what: str = "schedule", steps_per_epoch: float | None = None
) -> Any:
    """What a text in this notation makes, of some functions by name; a name may have dots.

    Args:
      text: a call, with numbers, words, lists and further calls as arguments, and arithmetic of schedules.
      makers: the functions that it may call.
      what: what to call it in an error.
      steps_per_epoch: as in `parse`.

    Example:
      >>> read_call("old.half(3.0)", {"old.half": lambda value: value / 2})
      1.5
    """
    if len(text) > _LONGEST or _DIGITS.search(text):  # the time that a number takes grows with the square of its digits
        most = f"at most {_LONGEST:,} letters, and {_MOST_DIGITS} digits in a number"
        raise ValueError(f"{what} of {len(text):,} letters: it may have {most}")
    shown = brief(text)
    marked = _EPOCHS.sub(rf"{_MARK}(\1)", text.strip())
    try:
        tree = ast.parse(marked, mode="eval").body
    except (RecursionError, MemoryError):  # as Python's parser says it
        raise ValueError(f"{what} {shown!r}: {_TOO_DEEP}") from None
    except (SyntaxError, ValueError):
        raise ValueError(f"{what} {shown!r} is not written as a call such as cosine(0.1, 10ep)") from None
    try:
        return _Reader(makers, what, steps_per_epoch).read(tree)
    except RecursionError:
        raise ValueError(f"{what} {shown!r}: {_TOO_DEEP}") from None
    except (ValueError, TypeError) as error:
        raise ValueError(f"{what} {shown!r}: {brief(str(error), _LONGEST_REASON)}") from None


class _Reader:
    """Turns a syntax tree into what it describes, one kind of node after the other."""

    def __init__(self, makers: Mapping[str, Callable[..., Any]], what: str, steps_per_epoch: float | None):
        self.makers = makers
        self.what = what
        self.steps_per_epoch = steps_per_epoch
        self.depth = 0

    def read(self, node: ast.AST) -> Any:
        if self.depth == DEEPEST:
            raise ValueError(_TOO_DEEP)
        self.depth += 1
        try:
            return self._read(node)
        finally:
            self.depth -= 1

    def _read(self, node: ast.AST) -> Any:
        match node:
            case ast.Constant(value=str() as text):
                return _word(text)
            case ast.Constant(value=bool() | int() | float() | None):
                return node.value
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float())):
                return -node.operand.value  # pyright: ignore
            case ast.Constant(value=value) if value is ...:
                raise ValueError(
                    "a list of thousands is printed in part, and has no meaning so; to_dict() holds it whole"
                )
            case ast.List() | ast.Tuple():
                return [self.read(item) for item in node.elts]
            case ast.UnaryOp(op=ast.USub(), operand=operand) if not _in_epochs(operand):
                return self._operation("*", ast.Constant(-1.0), operand)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.read(operand)
            case ast.Dict() if all(node.keys):
                return {
                    self.read(k): self.read(v) for k, v in zip(node.keys, node.values, strict=True) if k is not None
                }
            case ast.BinOp() if type(node.op) in _SYMBOLS:
                return self._operation(_SYMBOLS[type(node.op)], node.left, node.right)
            case ast.Call(func=ast.Attribute(attr=name, value=receiver)) if name in RECORDS and RECORDS[name].method:
                return self._call(name, RECORDS[name].make, [self.read(receiver)], node)
            case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=int() | float() as epochs)]) if (
                name == _MARK
            ):
                return self._epochs(epochs)
            case ast.Call(func=ast.Name() | ast.Attribute()) if _DOTTED.fullmatch(name := ast.unparse(node.func)):
                if name not in self.makers:
                    foreign = hint(name)
                    raise ValueError(
                        f"unknown {self.what} {name!r}{foreign}"
                        if foreign.startswith(("; it", "; write"))
                        else unknown(self.what, name, self.makers)
                    )
                return self._call(name, self.makers[name], [], node)
            case ast.Name(id=name) if name in self.makers:
                raise ValueError(f"{name} needs its arguments: {name}{_printed(inspect.signature(self.makers[name]))}")
        shown = _as_written(ast.unparse(node))
        raise ValueError(f"{shown!r} has no meaning here; write numbers, lists, words and schedules")

    def _operation(self, symbol: str, left: ast.AST, right: ast.AST) -> Schedule:
        operands = self.read(left), self.read(right)
        if not any(isinstance(operand, Schedule) for operand in operands):
            raise ValueError("arithmetic is for schedules; write a number out")
        return next(each for each in RECORDS.values() if each.infix == symbol).make(*operands)

    def _call(self, name: str, maker: Callable[..., Any], receiver: list[Any], node: ast.Call) -> Any:
        positional = receiver + [self.read(argument) for argument in node.args]
        keywords = {keyword.arg: self.read(keyword.value) for keyword in node.keywords if keyword.arg}
        if len(keywords) != len(node.keywords):
            raise ValueError(f"{name}: ** has no meaning here")
        _check_arguments(name, maker, positional, keywords)
        return maker(*positional, **keywords)

    def _epochs(self, epochs: float) -> int:
        if self.steps_per_epoch is None:
            raise ValueError(f"{epochs:g}ep needs to know the updates in an epoch; write the length in updates")
        return round(epochs * self.steps_per_epoch)


def _in_epochs(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == _MARK


def _as_written(text: str) -> str:
    """A part of a marked text, without the mark of lengths in epochs."""
    return _MARKED.sub(r"\1ep", text)


def _word(text: str) -> str:
    word = _as_written(text)
    if _EPOCHS.fullmatch(word):
        raise ValueError(f"a length is written without quotes, as {word}, got {word!r}")
    return word


def _check_arguments(name: str, maker: Callable[..., Any], positional: list[Any], keywords: dict[str, Any]) -> None:
    signature = inspect.signature(maker)
    for keyword in keywords:
        if keyword not in signature.parameters:
            raise ValueError(f"{name}: {unknown('argument', keyword, signature.parameters)}")
    try:
        signature.bind(*positional, **keywords)
    except TypeError as error:
        raise ValueError(f"{name}{_printed(signature)}: {error}") from None


def signature_text(name: str) -> str:
    """A family's arguments as `jaxlr list` prints them: names and defaults, without types."""
    return _printed(inspect.signature(RECORDS[name].make))


def _printed(signature: inspect.Signature) -> str:
    parts, keyword_only = [], False
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not keyword_only:
            keyword_only = True
            parts.append("*")
        default = "" if parameter.default is parameter.empty else f"={parameter.default!r}"
        stars = "**" if parameter.kind is parameter.VAR_KEYWORD else ""
        parts.append(f"{stars}{parameter.name}{default}")
    return f"({', '.join(parts)})"
