"""The site: `python -m sphinx -W docs build/site` writes it; nothing is fetched, then or when it is read."""

import sys
from importlib.metadata import version as installed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "jaxlr"
version = release = installed("jaxlr")
author = "the authors of jaxlr"
copyright = "the authors of jaxlr, Apache-2.0"

extensions = ["myst_parser", "jaxlr_docs"]
exclude_patterns = ["_ext", "_pictures", "_static", "pictures"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# A name in single backticks is a link where the reference has it, and code in any case.
default_role = "py:obj"
add_module_names = True
python_maximum_signature_line_length = 80
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = "jaxlr"
html_short_title = "Learning-rate schedules and optimizers for JAX."
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/favicon.svg"
html_use_index = False
html_domain_indices = False
html_copy_source = False
html_show_sphinx = False
html_permalinks_icon = "#"
pygments_style, pygments_dark_style = "default", "github-dark"
html_theme_options = {"navigation_with_keys": True}
