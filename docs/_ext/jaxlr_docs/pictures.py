"""Pictures of pages, drawn at build time in a light and a dark form and kept until what they show changes."""

from __future__ import annotations

import hashlib
import inspect
import io
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from jaxlr_docs import calls

SHADES = ("light", "dark")


@cache
def sources() -> bytes:
    """What every picture depends on."""
    digest = hashlib.sha256()
    for folder in ("numerics", "schedules", "plotting", "transforms", "search"):
        for path in sorted((calls.ROOT / "jaxlr" / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.digest()


def files(name: str, draw: Callable[[], Any], seed: str, folder: Path) -> dict[str, Path]:
    """The picture's two files, drawn if what it shows has changed.

    Args:
      name: the beginning of the files' names.
      draw: makes the Matplotlib figure.
      seed: what the picture depends on beside the package.
      folder: where drawn pictures are kept.
    """
    key = hashlib.sha256(sources() + seed.encode() + Path(__file__).read_bytes()).hexdigest()[:12]
    paths = {shade: folder / f"{name}-{key}-{shade}.svg" for shade in SHADES}
    if not all(path.exists() for path in paths.values()):
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob(f"{name}-????????????-*.svg"):
            old.unlink()
        light = _svg(draw)
        paths["light"].write_text(light)
        paths["dark"].write_text(darkened(light))
    return paths


def seed(draw: Callable[[], Any]) -> str:
    """What a drawing depends on: its source, the helpers beside it, and the pages and results that it reads."""
    from jaxlr_docs import drawings

    helpers = [value for name, value in vars(drawings).items() if name.startswith("_") and inspect.isfunction(value)]
    text = "".join(inspect.getsource(each) for each in (draw, *helpers))
    read = re.findall(r'"(\w+\.md)"', inspect.getsource(draw))
    places = [folder / name for name in read for folder in (calls.ROOT / "docs", calls.ROOT / "benchmarks/results")]
    return text + "".join(path.read_text() for path in places if path.exists())


def _svg(draw: Callable[[], Any]) -> str:
    from jaxlr import plotting

    content = io.StringIO()
    with plotting.style():
        figure = draw()
        figure.patch.set_alpha(0.0)
        for axes in figure.axes:
            axes.patch.set_alpha(0.0)
        figure.savefig(content, format="svg", metadata={"Date": None})
    return re.sub(r"<metadata>.*?</metadata>", "", content.getvalue(), flags=re.DOTALL)


def darkened(svg: str) -> str:
    """The picture in the colours of a dark page; what has no colour of its own is black, and so takes the ink's."""
    from jaxlr.plotting import DARK, INK
    from jaxlr.plotting import darkened as recoloured

    return recoloured(svg.replace("<svg ", f'<svg fill="{INK}" ', 1)).replace("#000000", DARK["#000000"])


def shown(directive: SphinxDirective, paths: dict[str, Path], alt: str, width: str) -> list[nodes.Node]:
    """The two images; the theme shows the one that the page's colours ask for."""
    images = []
    for shade, path in paths.items():
        image = nodes.image(uri=f"/_pictures/{path.name}", alt=alt, classes=[f"only-{shade}", "picture"], width=width)
        images.append(image)
    return images


class Picture(SphinxDirective):
    """`{picture} NAME`: the drawing of that name in `drawings.py`, its docstring as the text for who cannot see it."""

    required_arguments = 1
    has_content = True
    option_spec: ClassVar = {"width": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        """A figure with the content as its caption."""
        from jaxlr_docs import drawings

        name = self.arguments[0]
        draw = getattr(drawings, name, None)
        if draw is None:
            raise self.error(f"no drawing is called {name!r}; they are in {drawings.__file__}")
        paths = files(name, draw, seed(draw), Path(self.env.srcdir) / "_pictures")
        self.env.note_dependency(drawings.__file__)
        alt = " ".join((inspect.getdoc(draw) or name).split())
        figure = nodes.figure("", *shown(self, paths, alt, self.options.get("width", "100%")))
        if self.content:
            caption = nodes.caption()
            inline, _ = self.state.inline_text(" ".join(self.content), self.lineno)
            caption += inline
            figure += caption
        return [figure]


class Curve(SphinxDirective):
    """`curve:: FAMILY`, or `curve:: CALL`: the rates of one call over 400 updates; `:bare:` leaves the call out."""

    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar = {"bare": directives.flag, "width": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        """The picture, and the call under it."""
        name = text = self.arguments[0]
        if "(" in text:
            name = f"{text.split('(')[0]}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"
        else:
            text = calls.by_family()[name]
        paths = files(f"curve-{name}", lambda: _curve(text), text, Path(self.env.srcdir) / "_pictures")
        call = nodes.paragraph(
            "", "", nodes.literal("", text), nodes.Text(f", {calls.updates(text)} updates"), classes=["call"]
        )
        block = nodes.container(classes=["curve"])
        block += shown(
            self, paths, f"The rate of {text} over {calls.updates(text)} updates.", self.options.get("width", "300px")
        )
        if "bare" not in self.options:
            block += call
        return [block]


def _curve(text: str) -> Any:
    from jaxlr import plotting
    from matplotlib.figure import Figure

    counts, rates = calls.rates(text)
    figure = Figure(figsize=(3.4, 1.7), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(counts, rates, color=plotting.COLOURS[0], linewidth=1.8)
    axes.set_ylim(bottom=0.0)
    axes.margins(x=0.01)
    axes.tick_params(labelsize=9)
    axes.set_xticks([0, 200, 400])
    return figure


def setup(app: Any) -> None:
    """Adds the directives."""
    app.add_directive("picture", Picture)
    app.add_directive("curve", Curve)
