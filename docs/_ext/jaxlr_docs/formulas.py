"""Formulas of docstrings, plain lines such as `lr(n) = init_value * decay_rate ** (n / steps)`, as MathML.

A browser draws MathML by itself: no script, no font and no network. Words between the formulas stay words.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from html import escape

TOKEN = re.compile(
    r"""(?P<code>`[^`]*`) | (?P<text>"[^"]*") | (?P<product>prod_\{[^}]*\}) | (?P<dots>\.\.\.)
      | (?P<number>\d{1,3}(?:,\d{3})+|\d+(?:\.\d+)?(?:e-?\d+)?) | (?P<word>[A-Za-z_]\w*(?:-\w+|'s?)*)
      | (?P<operator>\*\*|<=|>=|->|\+=|-=|[-+*/^=<>()\[\]|]) | (?P<mark>[^\s])""",
    re.VERBOSE,
)
GAP = '<mspace width="0.2em"/>'
MINUS = "\N{MINUS SIGN}"
RELATIONS = {"=": "=", "<": "&lt;", ">": "&gt;", "<=": "≤", ">=": "≥", "->": "→", "+=": "+=", "-=": MINUS + "="}
# Names that stand in formulas without being arguments; any other word of several letters is a word.
KNOWN = {
    *("pi", "lr", "eps", "kl", "norm", "rate", "scale", "mean", "momentum", "cos", "exp", "log", "tanh", "sqrt"),
    *("floor", "ceil", "min", "max", "low", "mod", "step", "rise", "lambda", "fan_in", "fan_out", "len", "d_model"),
}
WORDS = {"a", "A", "I"}
START = re.compile(r"(With )?[\w|]+(\([^)]*\)|\[[^\]]*\])? *(=|->|\+=|-=|>|:|<)(?!=)")


@dataclass(frozen=True)
class Token:
    """A piece of a line, and whether blanks stand before it."""

    kind: str
    text: str
    apart: bool


class NotAFormulaError(Exception):
    """What stands between two words is no whole expression."""


def tokens(line: str) -> list[Token]:
    """The pieces of a line."""
    return [
        Token(str(match.lastgroup), match[0], line[match.start() - 1 : match.start()] in ("", " "))
        for match in TOKEN.finditer(line)
    ]


def is_formula(paragraph: str) -> bool:
    """Whether the paragraph after a docstring's first sentence is its formula."""
    if START.match(paragraph.strip()):
        return True
    return not paragraph.rstrip().endswith((".", ":")) and bool(re.search(r" (=|->|\+=|-=) ", paragraph))


def html(paragraph: str, names: Collection[str] = ()) -> str:
    """A formula paragraph as HTML: a row a line, and a column where lines are set in columns.

    Args:
      paragraph: its lines.
      names: the arguments of what it belongs to.
    """
    lines = paragraph.splitlines()
    known = KNOWN | set(names) | set(re.findall(r"(\w+)(?:\([\w, ]*\))? (?:=|-=|\+=) ", paragraph))
    columns = any(re.search(r"\S {2,}\S", line) for line in lines)
    if not columns:
        lines = _joined(lines)
    rows = "".join(_row(line, known, columns) for line in lines)
    return f'<div class="formula"><table>{rows}</table></div>' if columns else f'<div class="formula">{rows}</div>'


def _joined(lines: list[str]) -> list[str]:
    """Lines that only go on because the source's were full are one."""
    joined = [lines[0]]
    for line in lines[1:]:
        goes_on = re.search(r"( with| in|,|[-+*/]|updates \w+| or)$", joined[-1]) and len(joined[-1]) > 60
        if goes_on or (len(joined[-1]) > 100 and not START.match(line)):
            joined[-1] += " " + line.strip()
        else:
            joined.append(line)
    return joined


def _row(line: str, known: Collection[str], columns: bool) -> str:
    if not columns:
        return f"<p>{_mixed(line.strip(), known)}</p>"
    cells = re.split(r" {2,}", line.strip())
    inset = ' class="inset"' if line.startswith("  ") else ""
    return (
        "<tr>" + "".join(f"<td{inset if i == 0 else ''}>{_mixed(c, known)}</td>" for i, c in enumerate(cells)) + "</tr>"
    )


def _mixed(text: str, known: Collection[str]) -> str:
    """Words as words, what is between them as mathematics."""
    pieces: list[str] = []
    run: list[Token] = []

    def close() -> None:
        while run and run[-1].text in ("-", "/"):
            pieces.append(escape(run.pop().text))
        if run:
            pieces.append(("" if not run[0].apart else " ") + mathml(run))
            run.clear()

    depth = 0
    for token in tokens(text):
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(token.text, 0)
        is_mark = token.text in ",;:" and depth == 0
        if token.kind in ("code", "text", "mark") or is_mark or _is_word(token, text, known):
            if token.text == "," and depth > 0:
                run.append(token)
                continue
            close()
            pieces.append((" " if token.apart else "") + _plain(token))
        else:
            run.append(token)
    close()
    return "".join(pieces).strip()


def _is_word(token: Token, text: str, known: Collection[str]) -> bool:
    if token.kind != "word" or token.text in known:
        return False
    if len(token.text) == 1:
        return token.text in WORDS
    return not re.search(rf"\b{re.escape(token.text)}[(\[]", text) and not re.fullmatch(
        r"\w+_\w+|[a-zA-Z]\d", token.text
    )


def _plain(token: Token) -> str:
    if token.kind == "code":
        return f"<code>{escape(token.text.strip('`'))}</code>"
    return escape(token.text, quote=False)


def mathml(run: list[Token]) -> str:
    """A run of tokens as one `<math>` element; what is no whole expression is set token by token."""
    try:
        content = _Reader(run).whole().mathml()
    except NotAFormulaError:
        content = "".join(_single(token) for token in run)
    return f'<math><mstyle displaystyle="true">{content}</mstyle></math>'


def python(line: str) -> str:
    """What was understood of an expression, every operation in brackets; for a test."""
    return _Reader(tokens(line)).whole().python()


def _single(token: Token) -> str:
    if token.kind == "word":
        return _name(token.text)
    if token.kind == "number":
        return f"<mn>{token.text}</mn>"
    shown = {**RELATIONS, "*": "·", "-": MINUS, "**": "^"}.get(token.text, escape(token.text))
    return f'<mo stretchy="false">{shown}</mo>'


def _name(name: str) -> str:
    if name == "pi":
        return "<mi>π</mi>"
    if match := re.fullmatch(r"([A-Za-z])(\d|_\w)", name):
        below = match[2].removeprefix("_")
        part = "mn" if below.isdigit() else "mi"
        return f"<msub><mi>{match[1]}</mi><{part}>{below}</{part}></msub>"
    return f"<mi>{escape(name)}</mi>"


@dataclass(frozen=True)
class Node:
    """An expression: its MathML, the Python that it means, and whether it is one in brackets."""

    drawn: str
    meant: str
    bare: str | None = None

    def mathml(self) -> str:
        """As it is drawn."""
        return self.drawn

    def python(self) -> str:
        """As it is meant."""
        return self.meant

    def unwrapped(self) -> str:
        """As it is drawn where a fraction or a root holds it together."""
        return self.drawn if self.bare is None else self.bare


class _Reader:
    """Reads relations, sums, products (written with `*` or with nothing), powers, calls and brackets."""

    def __init__(self, run: list[Token]) -> None:
        self.run, self.at = run, 0

    def peek(self) -> str:
        return self.run[self.at].text if self.at < len(self.run) else ""

    def take(self, *texts: str) -> Token:
        if self.at >= len(self.run) or (texts and self.run[self.at].text not in texts):
            raise NotAFormulaError
        self.at += 1
        return self.run[self.at - 1]

    def whole(self) -> Node:
        node = self.relation()
        if self.at < len(self.run):
            raise NotAFormulaError
        return node

    def relation(self) -> Node:
        if self.peek() in RELATIONS:
            sign = self.take().text
            right = self.sum()
            return Node(f"<mo>{RELATIONS[sign]}</mo>{right.mathml()}", f"{sign} {right.python()}")
        node = self.sum()
        while self.peek() in RELATIONS:
            sign = self.take().text
            right = self.sum()
            node = Node(
                f"{node.mathml()}<mo>{RELATIONS[sign]}</mo>{right.mathml()}", f"{node.meant} {sign} {right.meant}"
            )
        return node

    def sum(self) -> Node:
        node = self.product()
        while self.peek() in ("+", "-"):
            sign = self.take().text
            right = self.product()
            shown = MINUS if sign == "-" else "+"
            node = Node(f"{node.mathml()}<mo>{shown}</mo>{right.mathml()}", f"({node.meant} {sign} {right.meant})")
        return node

    def product(self) -> Node:
        node = self.signed()
        behind = ""  # what stands before the numerator of a next fraction: the last one, and all before it
        while True:
            sign = self.peek()
            if sign in ("*", "mod"):
                self.take()
                right = self.signed()
                dot, meant = ("<mo>·</mo>", "*") if sign == "*" else (f"{GAP}<mi>mod</mi>{GAP}", "%")
            elif sign == "/":
                self.take()
                right = self.signed()
                above = node.unwrapped().removeprefix(behind)
                if not above:  # a / b / c
                    above, behind = behind, ""
                drawn = f"{behind}<mfrac><mrow>{above}</mrow><mrow>{right.unwrapped()}</mrow></mfrac>"
                node, behind = Node(drawn, f"({node.meant} / {right.meant})"), drawn
                continue
            elif self.at < len(self.run) and self._begins_a_factor():
                right = self.power()
                dot, meant = GAP, "*"
            else:
                return node
            if behind and node.drawn == behind:
                behind = node.drawn + dot
            node = Node(f"{node.mathml()}{dot}{right.mathml()}", f"({node.meant} {meant} {right.meant})")

    def _begins_a_factor(self) -> bool:
        token = self.run[self.at]
        return token.kind in ("number", "word", "product", "dots") or token.text == "("

    def signed(self) -> Node:
        if self.peek() == "-":
            self.take()
            node = self.signed()
            return Node(f"<mo>{MINUS}</mo>{node.mathml()}", f"(-{node.meant})")
        return self.power()

    def power(self) -> Node:
        node = self.called()
        if self.peek() in ("**", "^"):
            self.take()
            raised = self.signed()
            return Node(
                f"<msup><mrow>{node.mathml()}</mrow><mrow>{raised.unwrapped()}</mrow></msup>",
                f"({node.meant} ** {raised.meant})",
            )
        return node

    def called(self) -> Node:
        token = self.take()
        if token.kind == "number":
            return Node(f"<mn>{token.text}</mn>", token.text)
        if token.kind == "dots":
            return Node("<mo>…</mo>", "...")
        if token.kind == "product":
            return Node(f"<munder><mo>∏</mo><mrow>{escape(token.text[6:-1])}</mrow></munder>", token.text)
        if token.text == "(":
            return _bracketed(self.list(")"), "(", ")")
        if token.text == "|":
            inside = self.sum()
            self.take("|")
            return Node(
                f'<mo stretchy="false">|</mo>{inside.mathml()}<mo stretchy="false">|</mo>', f"abs({inside.meant})"
            )
        if token.kind != "word":
            raise NotAFormulaError
        return self.applied(Node(_name(token.text), token.text), token.text)

    def applied(self, node: Node, name: str) -> Node:
        while self.peek() in ("(", "[") and not self.run[self.at].apart:
            if self.take().text == "[":
                inside = self.list("]")
                node = Node(
                    f"<msub>{node.mathml()}<mrow>{inside.mathml()}</mrow></msub>", f"{node.meant}[{inside.meant}]"
                )
                continue
            inside = self.list(")")
            meant = f"{node.meant}({inside.meant})"
            if name == "sqrt":
                node = Node(f"<msqrt>{inside.mathml()}</msqrt>", meant)
            elif name in ("floor", "ceil"):
                left, right = ("⌊", "⌋") if name == "floor" else ("⌈", "⌉")
                node = Node(_bracketed(inside, left, right).drawn, meant)
            else:
                node = Node(node.mathml() + _bracketed(inside, "(", ")").drawn, meant)
        return node

    def list(self, end: str) -> Node:
        """Expressions with commas up to a closing bracket."""
        items: list[Node] = []
        while self.peek() != end:
            if self.peek() == "**":  # **numbers
                self.take()
                star = self.called()
                items.append(Node(f"<mo>**</mo>{star.mathml()}", f"**{star.meant}"))
            else:
                items.append(self.relation())
            if self.peek() == ",":
                self.take()
        self.take(end)
        return Node("<mo>,</mo>".join(item.mathml() for item in items), ", ".join(item.meant for item in items))


def _bracketed(inside: Node, left: str, right: str) -> Node:
    drawn = f"<mrow><mo>{left}</mo>{inside.mathml()}<mo>{right}</mo></mrow>"
    return Node(drawn, f"({inside.meant})", bare=inside.mathml())


def paragraphs(lines: list[str]) -> Iterator[list[str]]:
    """Runs of lines that are not blank."""
    run: list[str] = []
    for line in [*lines, ""]:
        if line.strip():
            run.append(line)
        elif run:
            yield run
            run = []
