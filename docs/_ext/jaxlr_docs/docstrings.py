"""Docstrings in Google's style as reStructuredText: formulas set, arguments, results and errors as fields."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jaxlr_docs import formulas

SECTIONS = ("Args", "Attributes", "Returns", "Yields", "Raises", "Example", "References")
HEADING = re.compile(rf"^({'|'.join(SECTIONS)}):$")


def restructured(docstring: str) -> str:
    """A whole docstring, its first sentence included."""
    head, sections = split(docstring)
    names = argument_names(sections.get("Args", []))
    parts = [_head(head, names)]
    for name, lines in sections.items():
        parts.append(_SHOWN[name](lines))
    return "\n\n".join(part for part in parts if part)


def summary(docstring: str) -> str:
    """The first sentence, without its line breaks."""
    first = next(formulas.paragraphs(docstring.splitlines()), [""])
    return " ".join(line.strip() for line in first)


def split(docstring: str) -> tuple[list[str], dict[str, list[str]]]:
    """The lines before the first section, and those of each section, without its indentation."""
    head: list[str] = []
    sections: dict[str, list[str]] = {}
    lines = head
    for line in docstring.splitlines():
        if match := HEADING.match(line):
            lines = sections[match[1]] = []
        elif lines is not head and line and not line.startswith(" "):
            lines = head
            lines.append(line)
        else:
            lines.append(line)
    return head, {name: _dedented(lines) for name, lines in sections.items()}


def _dedented(lines: list[str]) -> list[str]:
    indents = [len(line) - len(line.lstrip()) for line in lines if line.strip()]
    return [line[min(indents, default=0) :] for line in lines]


def argument_names(lines: list[str]) -> set[str]:
    """The names that a section of arguments explains."""
    return {name.strip(" *`") for names, _ in entries(lines) for name in names.split(",")}


def _entry(line: str) -> tuple[str, str]:
    name, _, text = line.partition(": ")
    return (name.removesuffix(":"), text)


def entries(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Name and text of each entry of a section, lines that go on joined to it."""
    current: list[str] = []
    for line in [*lines, "end:"]:
        if line.startswith(" ") or not line.strip():
            current.append(line.strip())
            continue
        if current:
            yield _entry(" ".join(part.strip() for part in current).strip())
        current = [line]


def _head(lines: list[str], names: set[str]) -> str:
    parts = []
    runs = list(formulas.paragraphs(lines))
    for index, run in enumerate(runs):
        text = "\n".join(run)
        if index == 1 and formulas.is_formula(text):
            body = formulas.html(text, names)
            parts.append(".. raw:: html\n\n" + _indented(body))
        elif run[0].startswith(">>> "):
            parts.append(text)
        elif all(line.startswith("    ") for line in run):
            parts.append(".. code-block:: python\n\n" + _indented("\n".join(_dedented(run))))
        elif run[0].startswith("- "):
            parts.append(escaped(_bullets(run)))
        elif all(line.startswith("  ") for line in run):
            parts.append("::\n\n" + _indented(text))
        else:
            parts.append(escaped("\n".join(line.strip() for line in run)))
    return "\n\n".join(parts)


def _bullets(run: list[str]) -> str:
    return re.sub(r"\n +", " ", "\n".join(run))


def escaped(text: str) -> str:
    """Text whose stars, bars and final underscores mean nothing; what stands in backticks stays."""
    pieces = re.split(r"(`[^`]*`)", text)
    return "".join(
        _code(piece) if piece.startswith("`") else re.sub(r"([*|])|(\w)_(?!\w)", _escape, piece) for piece in pieces
    )


def _escape(match: re.Match[str]) -> str:
    return f"\\{match[1]}" if match[1] else f"{match[2]}\\_"


def _code(piece: str) -> str:
    """A name is a link where the reference has it; all else in backticks is code."""
    inside = piece[1:-1]
    return piece if re.fullmatch(r"[A-Za-z_][\w.]*", inside) else f"``{inside}``"


def _indented(text: str, by: str = "   ") -> str:
    return "\n".join(by + line if line else line for line in text.splitlines())


def _arguments(lines: list[str]) -> str:
    return "\n".join(
        f":param {name.strip('` *')}: {escaped(text)}" for names, text in entries(lines) for name in names.split(",")
    )


def _attributes(lines: list[str]) -> str:
    return "\n".join(f":ivar {name.strip('`')}: {escaped(text)}" for name, text in entries(lines))


def _returns(lines: list[str]) -> str:
    return ":returns: " + escaped(" ".join(line.strip() for line in lines if line.strip()))


def _raises(lines: list[str]) -> str:
    return "\n".join(f":raises {name}: {escaped(text)}" for name, text in entries(lines))


def _example(lines: list[str]) -> str:
    text = "\n".join(lines).strip("\n")
    if ">>>" not in text:
        return ".. rubric:: Example\n\n" + escaped(text)
    return ".. rubric:: Example\n\n.. code-block:: pycon\n\n" + _indented(text)


def _references(lines: list[str]) -> str:
    sources: list[str] = []
    for line in lines:
        if line.startswith(" ") or (sources and line.startswith("arXiv:")):
            sources[-1] += " " + line.strip()
        elif line.strip():
            sources.append(line.strip())
    linked = [
        re.sub(r"arXiv:(\d{4}\.\d{4,5})", r"`arXiv:\1 <https://arxiv.org/abs/\1>`__", escaped(source))
        for source in sources
    ]
    return ".. rubric:: References\n\n" + "\n".join(f"- {source}" for source in linked)


_SHOWN = {
    "Args": _arguments,
    "Attributes": _attributes,
    "Returns": _returns,
    "Yields": _returns,
    "Raises": _raises,
    "Example": _example,
    "References": _references,
}
