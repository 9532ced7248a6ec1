"""The reference: an entry for a name, from its source and its docstring; tables of a module's names."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

from jaxlr_docs import calls, docstrings, listing, signatures

# Members that tell nothing to who uses them.
# A schedule is written `Schedule` whether it is jaxlr's or any function of the count.
ALIASED = {"Schedule"}
HIDDEN = {"tree_flatten", "tree_flatten_with_keys", "tree_unflatten", "count", "index", "at", "formula_at"}


class Entries(SphinxDirective):
    """`entries:: MODULE`, then names: signature, curve, explanation, arguments, errors, example of each.

    `*` stands for the names that no page has.
    """

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """What `parse` makes of the entries as reStructuredText."""
        module = importlib.import_module(self.arguments[0])
        names = listing.names(self.arguments[0], [name for line in self.content for name in line.split()])
        depend_on(self, [getattr(module, name) for name in names])
        text = "\n\n".join(entry(self.arguments[0], name, getattr(module, name)) for name in names)
        return parsed(self, text)


class Names(SphinxDirective):
    """`names:: MODULE`: every public name of a module with its first sentence, linked to its entry."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """A table."""
        module = importlib.import_module(self.arguments[0])
        depend_on(self, [getattr(module, name) for name in listing.public(module)])
        rows = []
        for name in listing.public(module):
            thing = getattr(module, name)
            rows.append(
                f"   * - :py:obj:`{name} <{listing.home(thing, self.arguments[0], name)}>`\n     - {told(thing)}"
            )
        return parsed(self, ".. list-table::\n   :widths: 35 65\n   :class: names\n\n" + "\n".join(rows))


class TypingWords(SphinxDirective):
    """`typing-words::`: the aliases of `jaxlr.typing`, each with what it stands for."""

    def run(self) -> list[nodes.Node]:
        """An entry for each line of the form `Name: TypeAlias = ...  # meaning`."""
        source = (calls.ROOT / "jaxlr/typing.py").read_text()
        found = re.findall(r"^(\w+): TypeAlias = (.*?)(?: +# (.*))?$", source, re.MULTILINE)
        return parsed(self, "\n\n".join(_alias(*each) for each in found if each[0] not in ALIASED))


def _alias(name: str, stands_for: str, meaning: str) -> str:
    text = f"``{stands_for.strip(chr(34))}``" + (f": {meaning}" if meaning else "")
    return f".. py:type:: {name}\n   :module: jaxlr.typing\n\n   {text}"


def depend_on(directive: SphinxDirective, things: Iterable[Any]) -> None:
    """Has the page made anew where the source of one of its entries changes."""
    for thing in things:
        if inspect.ismodule(thing) or inspect.isclass(thing) or inspect.isroutine(thing):
            directive.env.note_dependency(inspect.getsourcefile(inspect.unwrap(thing)) or __file__)


def parsed(directive: SphinxDirective, text: str) -> list[nodes.Node]:
    """Nodes of reStructuredText, from pages of either language."""
    if not directive.env.docname.startswith("reference"):
        return directive.parse_text_to_nodes("```{eval-rst}\n" + text + "\n```")
    container = nodes.Element()
    directive.state.nested_parse(StringList(text.splitlines(), directive.env.docname), 0, container)
    return container.children


def told(thing: Any) -> str:
    """A first sentence for a table."""
    if inspect.ismodule(thing) or inspect.isclass(thing) or inspect.isroutine(thing):
        return docstrings.escaped(docstrings.summary(inspect.getdoc(thing) or ""))
    return f"A constant, a {type(thing).__name__}."


def entry(module: str, name: str, thing: Any) -> str:
    """One name as reStructuredText."""
    docstring = inspect.getdoc(thing) or ""
    if inspect.isclass(thing):
        return _class(module, name, thing, docstring)
    if not callable(thing):
        return _described("data", name, "", told(thing), module)
    body = docstrings.restructured(docstring)
    if name in calls.by_family() and module in ("jaxlr", "jaxlr.schedules"):
        first, _, rest = body.partition("\n\n")
        body = f"{first}\n\n.. curve:: {name}\n\n{rest}"
    return _described("function", name, signatures.signature(thing), body, module)


def _described(kind: str, name: str, signature: str, body: str, module: str | None = None) -> str:
    option = f"   :module: {module}\n" if module else ""
    return f".. py:{kind}:: {name}{signature}\n{option}\n" + _indented(body) + "\n"


def _indented(text: str) -> str:
    return "\n".join("   " + line if line else line for line in text.splitlines())


def _class(module: str, name: str, thing: type, docstring: str) -> str:
    kind = "exception" if issubclass(thing, BaseException) else "class"
    own = docstring if "__doc__" in vars(thing) and not docstring.startswith(f"{name}(") else ""
    body = [docstrings.restructured(own)]
    if hasattr(thing, "_fields") and ":ivar" not in body[0] and ":param" not in body[0]:
        body += [f":ivar {field}: {docstrings.escaped(text)}" for field, text in signatures.fields(thing)]
    body += [_member(each, thing) for each in _members(thing)]
    return _described(kind, name, signatures.signature(thing), "\n\n".join(part for part in body if part), module)


def _members(thing: type) -> list[str]:
    """Its own methods and properties that are explained and not hidden."""
    return [
        name
        for name, value in vars(thing).items()
        if not name.startswith("_")
        and name not in HIDDEN
        and isinstance(value, (property, classmethod, staticmethod)) | inspect.isfunction(value)
        and inspect.getdoc(getattr(thing, name))
    ]


def _member(name: str, thing: type) -> str:
    value = vars(thing)[name]
    body = docstrings.restructured(inspect.getdoc(value) or "")
    if isinstance(value, property):
        return _described("property", name, "", body)
    kind = {classmethod: "classmethod", staticmethod: "staticmethod"}.get(type(value), "method")
    function = value if inspect.isfunction(value) else value.__func__
    return _described(kind, name, signatures.signature_of_method(function, kind != "staticmethod"), body)


def _read(app: Any) -> None:
    listing.read(Path(app.srcdir) / "reference")


def resolve(app: Any, env: Any, node: Any, contnode: Any) -> Any:
    """A short name of a type, or a name without its module, where the reference has it."""
    domain = env.get_domain("py")
    target = node.get("reftarget", "")
    for prefix in ("jaxlr.", "jaxlr.typing.", "jaxlr.schedules.", "jaxlr.transforms.", "jaxlr.search."):
        if prefix + target in domain.objects:
            found = domain.objects[prefix + target]
            return _link(app, node, found, contnode)
    return None


def _link(app: Any, node: Any, found: Any, contnode: Any) -> Any:
    from sphinx.util.nodes import make_refnode

    return make_refnode(app.builder, node["refdoc"], found.docname, found.node_id, contnode)


def link_literals(app: Any, document: nodes.document) -> None:
    """Makes `jaxlr.NAME` in the text of a page a link to its entry."""
    from sphinx.addnodes import pending_xref

    for literal in list(document.findall(nodes.literal)):
        name = literal.astext()
        if not re.fullmatch(r"jaxlr(\.[A-Za-z_]\w*)+", name) or isinstance(
            literal.parent, nodes.reference | pending_xref
        ):
            continue
        link = pending_xref("", refdomain="py", reftype="obj", reftarget=name, refdoc=app.env.docname, refwarn=False)
        literal.replace_self(link)
        link += literal


def setup(app: Any) -> None:
    """Adds the directives."""
    app.add_directive("entries", Entries)
    app.add_directive("names", Names)
    app.add_directive("typing-words", TypingWords)
    app.connect("builder-inited", _read, priority=600)
    app.connect("doctree-read", link_literals)
    app.connect("missing-reference", resolve)
