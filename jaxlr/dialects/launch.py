"""Command lines and launch scripts: their words and variables are read, and nothing is run."""

from __future__ import annotations

import re
from collections.abc import Iterator

_LONGEST = 100_000  # characters of a word with its variables filled in
_VARIABLE = r"\$\{[^{}]{0,200}\}|\$\w{1,200}"
_UNSAID = r"\$\([^()]{0,500}(?:\([^()]{0,500}\)[^()]{0,500}){0,3}\)|`[^`]{0,500}`"  # what only a shell can say
_PIECE = re.compile(rf"'[^']*'|\"(?:[^\"\\]|\\.)*\"|\\.|{_UNSAID}|{_VARIABLE}|[^\s'\"\\;&|()]", re.DOTALL)
_BETWEEN = re.compile(r"(?:\\\r?\n|[ \t\r])+|(?P<end>#[^\n]*|[\n;&|()]+)")
_ASSIGNED = re.compile(r"([A-Za-z_]\w*)\+?=(.*)", re.DOTALL)
_OPTION, _ARRAY = re.compile(r"-[A-Za-z]"), re.compile(r"\$\{\w+\[[@*]\]\}")
_HOLDS_ARGUMENTS = re.compile(r"(^|\s)--[A-Za-z]")
_ARGUMENT = re.compile(r"--([A-Za-z][\w.-]*)(?:=(.*))?", re.DOTALL)


def arguments_of(text: str) -> dict[str, object]:
    """The arguments of a command line or a launch script: `--name value`, `--name=value` and `--flag`.

    Words that begin no argument are passed over, so that a whole script may be given, with its arrays of arguments and
    texts of them. Variables that the script sets are filled in, as are the defaults of `${LR:-1e-4}`; of others their
    names stay. Of an argument that stands twice the last counts, as argparse has it.

    Example:
      >>> arguments_of("torchrun train.py --lr 1e-4 --lr-decay-style=cosine --bf16")
      {'lr': 0.0001, 'lr_decay_style': 'cosine', 'bf16': True}
      >>> arguments_of('LR=3e-4; ARGS="--lr $LR --seed $SEED"')
      {'lr': 0.0003, 'seed': '$SEED'}
    """
    found: dict[str, list[str]] = {}
    _read(text, {}, found)
    return {name: _values(words) for name, words in found.items()}


def _read(text: str, variables: dict[str, str], found: dict[str, list[str]]) -> None:
    values = None  # of the argument that the next words belong to
    for word in _filled_in(text, variables):
        if word is None or _ARRAY.fullmatch(word):
            values = None
        elif argument := _ARGUMENT.fullmatch(word):
            said = [] if argument[2] is None else [argument[2]]
            found[argument[1].replace("-", "_")] = said
            values = None if said else said
        elif assigned := _ASSIGNED.fullmatch(word):
            variables[assigned[1]], values = assigned[2], None
            if _HOLDS_ARGUMENTS.search(assigned[2]):
                _read(assigned[2], variables, found)
        elif _OPTION.match(word):
            values = None
        elif values is not None:
            values.append(word)


def _filled_in(text: str, variables: dict[str, str]) -> Iterator[str | None]:
    """The words, with the variables that are known by then; None where a statement ends."""
    position = 0
    while position < len(text):
        if between := _BETWEEN.match(text, position):
            position = between.end()
            if between["end"]:
                yield None
            continue
        word, quoted = [], False
        while position < len(text) and (piece := _PIECE.match(text, position)):
            word.append(_said(piece[0], variables))
            quoted |= piece[0][0] in "'\""
            position = piece.end()
        if not word:
            raise ValueError(f"quotes are open from line {text.count(chr(10), 0, position) + 1} on")
        whole = "".join(word)
        if len(whole) > _LONGEST:
            raise ValueError(f"variables make a word of more than {_LONGEST:,} characters")
        # The shell takes a variable without quotes for as many words as it has.
        yield from [whole] if quoted or _ASSIGNED.fullmatch(whole) else whole.split()
    yield None


def _said(piece: str, variables: dict[str, str]) -> str:
    """What the shell makes of a piece of a word, as far as the script says it."""
    if piece[0] == "'":
        return piece[1:-1]
    if piece[0] == "\\":
        return piece[1]
    if piece[0] == '"':
        text = re.sub(r"\\\r?\n", " ", piece[1:-1])
        return re.sub(_VARIABLE, lambda each: _said(each[0], variables), re.sub(r'\\(["\\])', r"\1", text))
    if match := re.fullmatch(r"\$\{?(\w+)(?::?[-=]([^{}]*))?\}?", piece):
        return variables.get(match[1], match[2] if match[2] is not None else piece)
    return piece


def _values(words: list[str]) -> object:
    read = [_value(word) for word in words]
    return True if not read else read[0] if len(read) == 1 else read


def _value(word: str) -> float | bool | str | None:
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return {"true": True, "false": False, "none": None, "null": None}.get(word.lower(), word)
