"""Patterns on the paths of parameters: from a source's regular expressions to jaxlr's."""

from __future__ import annotations

import re

_TOKEN = re.compile(r"(?P<any>\.\*)|(?P<one>\.)|\\(?P<escaped>[^A-Za-z0-9])|(?P<plain>[\w/ -])")


def glob(expression: str, *, anchored: bool = False) -> str | None:
    """The pattern of `jaxlr.ParameterGroups` for a regular expression of names, `.`, `.*`, `^` and `$`; None for more.

    With `anchored` it has to match from the first character on, as with `re.match`.

    Example:
      >>> glob(".*norm"), glob("^embed/"), glob(r"layers_\\d"), glob(".*/kernel$", anchored=True)
      ('*norm*', 'embed/*', None, '*/kernel')
    """
    starts = anchored or expression.startswith("^")
    body = expression.removeprefix("^")
    ends = body.endswith("$") and not body.endswith(r"\$")
    body = body[:-1] if ends else body
    found, position = [], 0
    while position < len(body):
        token = _TOKEN.match(body, position)
        if token is None:
            return None
        text = token["plain"] or token["escaped"]
        if text in ("*", "?", "["):
            text = f"[{text}]"
        found.append("*" if token["any"] else "?" if token["one"] else text)
        position = token.end()
    whole = f"{'' if starts else '*'}{''.join(found)}{'' if ends else '*'}"
    return re.sub(r"\*+", "*", whole)
