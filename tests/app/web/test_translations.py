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


def gaps(text: str) -> set[str]:
    """Return the names of a text's placeholders."""
    return set(re.findall(r"%\((\w+)\)s", text))


def test_french_punctuation_stays_with_its_word() -> None:
    """No line begins with the mark: the space before it does not break."""
    wordings = [
        str(one)
        for message in texts.kept("fr")
        for one in (
            message.string
            if isinstance(message.string, list | tuple)
            else [message.string]
        )
    ]
    files = sorted(_FRENCH_MAILS.iterdir())
    assert files
    wordings += [file.read_text("utf-8") for file in files]
    assert [
        one for one in wordings if re.search(r"\S [?!:;](\s|$)", one)
    ] == []
