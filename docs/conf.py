#!/usr/bin/env python3
"""How Sphinx makes the guide's site: `make docs` writes it to `_build`.

Its law: the site asks nobody for anything. What is outside of this folder
is led to the page that includes it.
"""

from sphinx.application import Sphinx

project = "Vestibule"
copyright = "the authors of Vestibule"
extensions = ["myst_parser"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "Vestibule"
templates_path = ["_templates"]
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False
myst_heading_anchors = 3
#: A page that this version does not have is left out of the list; a
#: language that Pygments does not know is shown as it is.
suppress_warnings = ["toc.not_readable", "misc.highlighting_failure"]

#: Where a link out of this folder leads to on the site.
INCLUDED = {
    "../SECURITY.md": "security.md",
    "../ARCHITECTURE.md": "inside.md",
}


def lead_inside(_: Sphinx, __: str, source: list[str]) -> None:
    """Lead the links of a page out of this folder back into the site."""
    for outside, inside in INCLUDED.items():
        source[0] = source[0].replace(f"]({outside}", f"]({inside}")


def setup(app: Sphinx) -> None:
    """Hook into how Sphinx reads a page."""
    app.connect("source-read", lead_inside)
