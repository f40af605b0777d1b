#!/usr/bin/env python3
"""The catalogues of the pages' texts: collected, stored and compiled.

`python -m tests.repo.texts` adds new texts to each `.po` file, removes unused
ones, and compiles the `.mo` files.
"""

import io
import sys
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from vestibule.web.i18n import FOLDER, LANGUAGES

_METHODS = [("**.py", "python"), ("templates/**.html", "jinja2")]
_OPTIONS = {"templates/**.html": {"trimmed": "true", "silent": "false"}}
_KEYWORDS = {**DEFAULT_KEYWORDS, "N_": None}
_NO_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)
TRANSLATED = LANGUAGES[1:]


def po_file(language: str) -> Path:
    """Return the path of a language's editable texts."""
    return FOLDER / language / "LC_MESSAGES" / "messages.po"


def texts() -> Catalog:
    """Return the texts in the code and the templates."""
    found = Catalog()
    for _, _, message, _, context in extract_from_dir(
        FOLDER.parent, _METHODS, _OPTIONS, keywords=_KEYWORDS
    ):
        found.add(message, context=context)
    return found


def kept(language: str) -> Catalog:
    """Return the texts of a language in its `.po` file."""
    with po_file(language).open("rb") as file:
        catalog = read_po(file, locale=language)
    # Otherwise the time of reading would be compiled into it.
    catalog.creation_date = catalog.revision_date = _NO_MOMENT
    return catalog


def compiled(catalog: Catalog) -> bytes:
    """Return the `.mo` file of a catalogue."""
    written = io.BytesIO()
    write_mo(written, catalog)
    return written.getvalue()


def missing(catalog: Catalog) -> list[str]:
    """Return the texts without a translation."""
    found = []
    for message in catalog:
        given: object = message.string
        wordings = [*given] if isinstance(given, list | tuple) else [given]
        if message.id and not all(wordings):
            found.append(str(message.id))
    return found


def main() -> int:
    """Update the files; print the texts without a translation."""
    code = 0
    for language in TRANSLATED:
        path, catalog = po_file(language), kept(language)
        catalog.update(texts(), no_fuzzy_matching=True)
        catalog.obsolete.clear()
        written = io.BytesIO()
        write_po(
            written,
            catalog,
            width=0,
            sort_output=True,
            no_location=True,
            omit_header=True,
        )
        header = path.read_text("utf-8").partition("\n\n")[0]
        path.write_text(
            f"{header}\n\n{written.getvalue().decode('utf-8').lstrip()}",
            "utf-8",
        )
        path.with_suffix(".mo").write_bytes(compiled(kept(language)))
        for text in missing(kept(language)):
            print(f"{language}: not translated: {text}")
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
