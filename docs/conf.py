"""The site of these pages: ``make docs`` builds it into ``build/site``.

Nothing of it is loaded from elsewhere, and its search needs no server: it opens from the disk.
"""

from __future__ import annotations

import bench

project = "isoflops"
copyright = "the authors of isoflops"
version = release = bench.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_static_path, html_css_files = ["_static"], ["site.css"]
highlight_language = "none"  # blocks without a name are command lines and what they print
html_title = "isoflops"
html_show_sourcelink = html_copy_source = False
html_last_updated_fmt = None  # one tree gives one site

myst_heading_anchors = 4  # the links of the pages are those that they have where they are read as they are

default_role = "literal"  # docstrings write `name`, as the pages do
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_format = "short"
napoleon_google_docstring, napoleon_numpy_docstring = True, False

# Pages that stand above this folder are pages of the site, too.
ABOVE = {
    "](../CONTRIBUTING.md": "](contributing.md",
    "](../CHANGELOG.md": "](changelog.md",
    "](../README.md": "](index.md",
}


def _pages_above(app: object, name: str, source: list[str]) -> None:
    for there, here in ABOVE.items():
        source[0] = source[0].replace(there, here)


def setup(app: object) -> None:
    """Join what is written for a reader of the repository."""
    app.connect("source-read", _pages_above)  # type: ignore[attr-defined]
