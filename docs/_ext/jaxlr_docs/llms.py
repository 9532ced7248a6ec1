"""`llms.txt`: every page with its first sentence, for who reads with a program; `llms-full.txt`: their text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils import nodes


def first_sentence(document: nodes.document) -> str:
    """The text of the first paragraph outside of pictures and tables, to its first full stop."""
    for paragraph in document.findall(nodes.paragraph):
        if isinstance(paragraph.parent, nodes.section | nodes.document):
            sentences = re.split(r"(?<=[.:])\s", " ".join(paragraph.astext().split()))
            return sentences[0] if len(sentences[0]) > 40 else " ".join(sentences[:2])
    return ""


def pages(app: Any) -> list[tuple[str, str, str]]:
    """Page, title and first sentence, in the order of the navigation."""
    order = [app.config.root_doc]
    for name in order:
        order += [each for each in app.env.toctree_includes.get(name, []) if each not in order]
    return [
        (name, app.env.titles[name].astext(), first_sentence(app.env.get_doctree(name)))
        for name in _in_depth(app, app.config.root_doc)
    ]


def _in_depth(app: Any, name: str) -> list[str]:
    return [name, *(each for child in app.env.toctree_includes.get(name, []) for each in _in_depth(app, child))]


def write(app: Any, exception: Exception | None) -> None:
    """Writes both files beside the pages."""
    if exception is not None or app.builder.format != "html":
        return
    lines = ["# jaxlr", "", f"> {app.config.html_short_title}", ""]
    for title, chosen in (("Pages", False), ("Reference", True)):
        lines += [f"## {title}", ""]
        for name, heading, sentence in pages(app):
            if name.startswith("reference") == chosen:
                lines.append(f"- [{heading}]({app.builder.get_target_uri(name)}): {sentence}")
        lines.append("")
    (Path(app.outdir) / "llms.txt").write_text("\n".join(lines))
    texts = [Path(app.env.doc2path(name)).read_text() for name, _, _ in pages(app) if not name.startswith("reference")]
    (Path(app.outdir) / "llms-full.txt").write_text("\n\n".join(texts))


def setup(app: Any) -> None:
    """Writes the files when the pages are done."""
    app.connect("build-finished", write)
