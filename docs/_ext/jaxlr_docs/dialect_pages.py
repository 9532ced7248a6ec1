"""A page of the reference for every dialect, and the list of all names by framework, from the package itself."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from jaxlr_docs import docstrings, entries, listing

# How they write their own names, where it is not in small letters.
TITLES = {
    "torch": "PyTorch",
    "keras": "Keras",
    "transformers": "Transformers",
    "optax": "Optax",
    "megatron": "Megatron-LM",
    "deepspeed": "DeepSpeed",
    "maxtext": "MaxText",
    "axlearn": "AXLearn",
    "t5x": "T5X and Scenic",
    "olmo": "OLMo-core",
    "nanochat": "nanochat and nanoGPT",
}
CREDITS = "Generated from the package; edit the docstrings."


def titles() -> dict[str, str]:
    """Framework -> how it writes its own name."""
    from jaxlr import dialects

    return {name: TITLES.get(name, name) for name in dialects.FRAMEWORKS}


def page(framework: str) -> str:
    """One framework's page."""
    module = f"jaxlr.dialects.{framework}"
    loaded = importlib.import_module(module)
    heading = f"jaxlr.dialects.{framework}"
    text = docstrings.restructured(inspect.getdoc(loaded) or "")
    names = "\n".join(f"   {name}" for name in listing.public(loaded))
    return (
        f".. {CREDITS}\n\n{heading}\n{'=' * len(heading)}\n\n.. py:module:: {module}\n\n{text}\n\n"
        f".. dialect-curves:: {framework}\n\n"
        f".. entries:: {module}\n\n{names}\n"
    )


def write(app: Any) -> None:
    """Writes the pages whose text has changed."""
    folder = Path(app.srcdir) / "reference/dialects"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {f"{framework}.rst": page(framework) for framework in titles()}
    for path in folder.glob("*.rst"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        if not (folder / name).exists() or (folder / name).read_text() != text:
            (folder / name).write_text(text)


class DialectNames(SphinxDirective):
    """`{dialect-names}`: a section of names for every framework."""

    def run(self) -> list[nodes.Node]:
        """A table for each."""
        parts = []
        for framework, title in titles().items():
            module = importlib.import_module(f"jaxlr.dialects.{framework}")
            rows = "\n".join(
                f"   * - :py:obj:`{name} <jaxlr.dialects.{framework}.{name}>`\n"
                f"     - {entries.told(getattr(module, name))}"
                for name in listing.public(module)
            )
            parts.append(
                f".. rubric:: {title}: ``jaxlr.dialects.{framework}``\n\n"
                f".. list-table::\n   :widths: 45 55\n   :class: names\n\n{rows}"
            )
        return entries.parsed(self, "\n\n".join(parts))


class DialectCurves(SphinxDirective):
    """`dialect-curves:: FRAMEWORK`: its schedules, each a small curve."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The picture, or nothing for a framework without schedules."""
        from jaxlr_docs import drawings, pictures

        framework = self.arguments[0]
        draw = drawings.of_dialect(framework)
        if draw is None:
            return []
        seed = pictures.seed(drawings.of_dialect) + inspect.getsource(
            importlib.import_module(f"jaxlr.dialects.{framework}")
        )
        paths = pictures.files(f"dialect-{framework}", draw, seed, Path(self.env.srcdir) / "_pictures")
        figure = nodes.figure("", *pictures.shown(self, paths, f"Curves of {framework}'s schedules.", "100%"))
        return [figure]


def setup(app: Any) -> None:
    """Adds the directives, and writes the pages before Sphinx looks for any."""
    app.add_directive("dialect-names", DialectNames)
    app.add_directive("dialect-curves", DialectCurves)
    app.connect("builder-inited", write, priority=400)
