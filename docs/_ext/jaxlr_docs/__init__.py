"""What Sphinx needs to know to build jaxlr's pages: pictures, the reference, lists of names, measured tables."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any


def setup(app: Any) -> dict[str, Any]:
    """Adds the directives and the pages that are generated."""
    from jaxlr_docs import dialect_pages, entries, llms, measured, pictures

    # Pages are made anew where what makes them changes.
    sources = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    app.add_config_value("jaxlr_docs_sources", hashlib.sha256(sources).hexdigest(), "env", types=[str])
    for part in (pictures, entries, dialect_pages, measured, llms):
        part.setup(app)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
