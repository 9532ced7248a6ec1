"""Tables of `benchmarks/results`, as the scripts printed them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from jaxlr_docs import calls


class Measured(SphinxDirective):
    """`{measured} FILE`: a committed result, without its own title."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The file's text as Markdown; its headings are rubrics here."""
        path = calls.ROOT / "benchmarks/results" / self.arguments[0]
        self.env.note_dependency(str(path))
        return self.parse_text_to_nodes(without_titles(path.read_text()))


class OtherMeasured(SphinxDirective):
    """`{measured-others}`: every committed result that no page has named, under its own title."""

    def run(self) -> list[nodes.Node]:
        """A list of sections, each folded away by its own heading."""
        page = "".join(path.read_text() for path in Path(self.env.srcdir).glob("*.md"))
        parts = []
        for path in sorted((calls.ROOT / "benchmarks/results").glob("*.md")):
            if f"{{measured}} {path.name}" not in page:
                self.env.note_dependency(str(path))
                parts.append(f"**`benchmarks/results/{path.name}`**\n\n{without_titles(path.read_text())}")
        return self.parse_text_to_nodes("\n\n".join(parts))


def without_titles(text: str) -> str:
    """Markdown whose first heading is gone and whose others are bold lines."""
    body = re.sub(r"\A# .*\n", "", text)
    return re.sub(r"^#+ (.*)$", r"**\1**", body, flags=re.MULTILINE)


def setup(app: Any) -> None:
    """Adds the directives."""
    app.add_directive("measured", Measured)
    app.add_directive("measured-others", OtherMeasured)
