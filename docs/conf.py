#!/usr/bin/env python3
"""The Sphinx configuration of the guide: `make docs` builds it in `_build`.

The site loads nothing from other hosts. Links to files outside this folder
lead to the page that includes them.
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
#: A page that this version lacks is left out of the list, and a block in a
#: language that Pygments does not know is shown without colours.
suppress_warnings = ["toc.not_readable", "misc.highlighting_failure"]

#: The page of the site that includes a file outside this folder.
INCLUDED = {
    "../SECURITY.md": "security.md",
    "../ARCHITECTURE.md": "inside.md",
}


def relink(_: Sphinx, __: str, source: list[str]) -> None:
    """Replace links to included files by links to the including pages."""
    for outside, inside in INCLUDED.items():
        source[0] = source[0].replace(f"]({outside}", f"]({inside}")


def setup(app: Sphinx) -> None:
    """Register `relink` for each page that Sphinx reads."""
    app.connect("source-read", relink)
