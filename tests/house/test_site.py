"""The site: its formulas mean what the docstrings say, its reference is whole, and what is built needs no network."""

import importlib
import importlib.util
import inspect
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from jaxlr_docs import docstrings, formulas, listing, signatures

from jaxlr import dialects, schedules

DOCS = Path(__file__).parents[2] / "docs"
MODULES = ["jaxlr", *(f"jaxlr.{name}" for name in ("schedules", "transforms", "optimizers", "dialects", "search"))]
MODULES += [f"jaxlr.{name}" for name in ("compiling", "training", "errors", "plotting")]
BUILDS = all(importlib.util.find_spec(name) for name in ("sphinx", "furo", "myst_parser"))


@pytest.mark.parametrize(
    "text",
    [
        "a + (b - a) * (1 + c) / 2",
        "a * b ** (c / d)",
        "a / (1 + b * c / d)",
        "a - b - c + d",
        "a / b / c * d",
        "-a ** 2 + b ** -c",
        "a * ((b + c) / d) ** a",
        "(a / (1 - b ** c)) / (d + a)",
    ],
)
def test_an_expression_is_understood_as_python_understands_it(text):
    numbers = {"a": 1.7, "b": 0.6, "c": 2.3, "d": 3.1}
    assert eval(formulas.python(text), numbers.copy()) == eval(text, numbers.copy())


def test_what_stands_side_by_side_is_a_product():
    numbers = {"m": 2.0, "t": 3.0, "b": 0.5, "rate": 7.0}
    assert eval(formulas.python("rate (m / (1 - b^t)) / 4"), numbers) == 7.0 * (2.0 / (1 - 0.5**3.0)) / 4


def test_a_formula_is_drawn():
    drawn = formulas.html("lr(n) = top * sqrt(pi / n) for n < at, and top_rate ** 2 from there", {"top", "at"})
    assert "<mfrac><mrow><mi>π</mi></mrow><mrow><mi>n</mi></mrow></mfrac>" in drawn
    assert "<msup><mrow><mi>top_rate</mi></mrow><mrow><mn>2</mn></mrow></msup>" in drawn
    assert re.findall(r"</math> *([a-z ,]+?) *<math>", drawn) == ["for", ", and"]
    assert drawn.endswith("from there</p></div>")


def things():
    """Every public function and class, each once."""
    found = {}
    for module in MODULES + [f"jaxlr.dialects.{name}" for name in dialects.FRAMEWORKS]:
        for name in importlib.import_module(module).__all__:
            thing = getattr(importlib.import_module(module), name)
            if inspect.isclass(thing) or inspect.isroutine(thing):
                found.setdefault(id(thing), (f"{module}.{name}", thing))
    return list(found.values())


def test_signatures_are_short_and_show_defaults():
    for name, thing in things():
        text = signatures.signature(thing)
        assert " at 0x" not in text, name
        assert "<" not in text.replace("<=", ""), name
        assert "typing." not in text, name
        assert "optax." not in text, name
    by_name = dict(things())
    assert signatures.signature(by_name["jaxlr.triangular"]) == (
        "(base_lr: Scalar, max_lr: Scalar, step_size: Length, *, step_size_down: Length | None = None) -> Schedule"
    )
    assert "mode: Literal['min', 'max'] = 'min'" in signatures.signature(by_name["jaxlr.reduce_on_plateau"])
    assert "optimizer: Optimizer = sgd" in signatures.signature(by_name["jaxlr.lr_range_test"])


def test_every_schedule_has_a_formula_that_is_whole():
    """None of the families' formulas falls back to signs in a row."""
    for name, thing in things():
        if not hasattr(thing, "family") or inspect.isclass(thing):
            continue
        head, _ = docstrings.split(inspect.getdoc(thing) or "")
        paragraphs = ["\n".join(each) for each in formulas.paragraphs(head)]
        if len(paragraphs) > 1 and formulas.is_formula(paragraphs[1]):
            assert "<math>" in formulas.html(paragraphs[1]), name


@pytest.mark.parametrize("module", MODULES)
def test_the_reference_has_every_public_name(module):
    listing.read(DOCS / "reference")
    loaded = importlib.import_module(module)
    lacking = [
        name
        for name in loaded.__all__
        if not inspect.ismodule(getattr(loaded, name)) and id(getattr(loaded, name)) not in listing.HOMES
    ]
    assert lacking == []


def test_what_no_page_has_asked_for_is_listed_where_a_page_asks_for_the_rest(tmp_path):
    asked = [name for name in schedules.__all__ if name not in ("cosine", "power")]
    (tmp_path / "a.rst").write_text(".. entries:: jaxlr.schedules\n\n   " + " ".join(asked) + "\n")
    (tmp_path / "b.rst").write_text(".. entries:: jaxlr.schedules\n\n   *\n")
    listing.read(tmp_path)
    assert listing.names("jaxlr.schedules", ["linear", "*"]) == ["linear", "cosine", "power"]
    assert listing.home(schedules.cosine, "jaxlr", "cosine") == "jaxlr.schedules.cosine"
    listing.read(DOCS / "reference")


class Page(HTMLParser):
    """What a page links to, what it loads, and where in it a link may lead."""

    def __init__(self, text):
        super().__init__()
        self.links, self.loads, self.places = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        known = dict(attributes)
        self.places |= {known[key] for key in ("id", "name") if known.get(key)}
        if tag == "a" and known.get("href"):
            self.links.append(known["href"])
        elif tag == "link" and known.get("rel") in ("stylesheet", "icon", "preload", "shortcut icon"):
            self.loads.append(known["href"])
        elif known.get("src"):
            self.loads.append(known["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    if not BUILDS:
        pytest.skip("the site is built with the extra docs")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-d", str(folder / "trees")]
    environment = {**os.environ, "PYTHONPATH": str(DOCS.parent)}
    done = subprocess.run(
        [*command, str(DOCS), str(folder / "html")], capture_output=True, text=True, env=environment, timeout=900
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "html"


@pytest.mark.ci
def test_the_built_site_is_whole_and_needs_no_network(site):
    pages = {path.resolve(): Page(path.read_text()) for path in site.rglob("*.html") if "_static" not in path.parts}
    broken, outside = [], []
    for path, page in pages.items():
        for link in page.links + page.loads:
            if re.match(r"(https?:)?//|mailto:|data:", link):
                outside += [(path.name, link)] if link in page.loads else []
                continue
            file, _, place = link.partition("#")
            target = (path.parent / unquote(file.partition("?")[0])).resolve() if file else path
            if not target.exists() or (place and target in pages and unquote(place) not in pages[target].places):
                broken.append((path.name, link))
    assert broken == []
    assert outside == []
    for path in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//|@import ['\"]?(url\()?['\"]?https?:", path.read_text()), path


@pytest.mark.ci
def test_the_built_reference_has_a_place_for_every_public_name(site):
    places = set()
    for path in (site / "reference").rglob("*.html"):
        places |= Page(path.read_text()).places
    listing.read(DOCS / "reference")
    for module in MODULES + [f"jaxlr.dialects.{name}" for name in dialects.FRAMEWORKS]:
        loaded = importlib.import_module(module)
        for name in loaded.__all__:
            assert listing.home(getattr(loaded, name), module, name) in places | {
                f"module-{each}" for each in places
            } or (inspect.ismodule(getattr(loaded, name)) and f"module-{getattr(loaded, name).__name__}" in places), (
                f"{module}.{name}"
            )


@pytest.mark.ci
def test_llms_txt_lists_every_page(site):
    listed = set(re.findall(r"^- \[.*?\]\((.*?)\): \S", (site / "llms.txt").read_text(), re.MULTILINE))
    built = {str(path.relative_to(site)) for path in site.rglob("*.html") if "_static" not in path.parts}
    assert listed == built - {"search.html", "404.html"}


@pytest.mark.ci
def test_pages_in_a_browser(site):
    import shutil

    import browse_docs

    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        pytest.skip("chromium and chromedriver are not installed")
    assert list(browse_docs.faults(site, pages=["index.html", "which_schedule.html", "reference/schedules.html"])) == []
