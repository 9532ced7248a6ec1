"""Tables of `benchmarks/results`, as the scripts printed them."""

from __future__ import annotations

import re
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


def without_titles(text: str) -> str:
    """Markdown whose first heading is gone and whose others are bold lines."""
    body = re.sub(r"\A# .*\n", "", text)
    return re.sub(r"^#+ (.*)$", r"**\1**", body, flags=re.MULTILINE)


def setup(app: Any) -> None:
    """Adds the directive."""
    app.add_directive("measured", Measured)
