#!/usr/bin/env python3
"""The pages' texts are translated into each language."""

import re
from pathlib import Path

import pytest

import vestibule.mail
from tests.repo import texts

#: Mails in French.
_FRENCH_MAILS = Path(vestibule.mail.__file__).parent / "templates" / "fr"


@pytest.mark.parametrize("language", texts.TRANSLATED)
def test_catalogue_has_exactly_the_texts_of_pages(language: str) -> None:
    """`make texts` updates it."""
    kept = {message.id for message in texts.kept(language) if message.id}
    assert kept == {message.id for message in texts.texts() if message.id}
    assert kept


@pytest.mark.parametrize("language", texts.TRANSLATED)
def test_each_text_is_translated(language: str) -> None:
    """No page mixes two languages."""
    assert texts.missing(texts.kept(language)) == []


@pytest.mark.parametrize("language", texts.TRANSLATED)
def test_compiled_catalogue_matches_its_source(language: str) -> None:
    """The compiled texts are those of the file beside them."""
    path = texts.po_file(language)
    assert path.with_suffix(".mo").read_bytes() == texts.compiled(
        texts.kept(language)
    )


@pytest.mark.parametrize("language", texts.TRANSLATED)
def test_translation_has_same_placeholders(language: str) -> None:
    """A value that a text names is named by its translations too."""
    for message in texts.kept(language):
        source, given = message.id, message.string
        if isinstance(source, str):
            source, given = (source,), (given,)  # type: ignore[assignment]
        for one in given or ():
            assert gaps(str(one)) <= gaps(" ".join(source))
            assert gaps(str(one)) >= set.intersection(*map(gaps, source))


def test_french_has_its_own_punctuation() -> None:
    """A curly apostrophe, and no line break before `?` or in a quotation."""
    for message in texts.kept("fr"):
        given = message.string
        for one in (given,) if isinstance(given, str) else given or ():
            wrong = re.search(r"'| [?!:;\u00bb]|\u00ab ", str(one))
            assert wrong is None or not message.id, one


@pytest.mark.parametrize(
    "file", sorted(_FRENCH_MAILS.iterdir()), ids=lambda file: file.stem
)
def test_french_mail_breaks_no_line_before_a_mark(file: Path) -> None:
    """The space before the mark is one that does not break."""
    assert re.search(r"\S [?!:;](\s|$)", file.read_text("utf-8")) is None


def gaps(text: str) -> set[str]:
    """Return the names of a text's placeholders."""
    return set(re.findall(r"%\((\w+)\)s", text))
