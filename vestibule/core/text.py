#!/usr/bin/env python3
"""Pure text functions: keys, names, safe output, typing errors."""

import unicodedata

#: Bytes of an email in UTF-8 (RFC 5321, section 4.5.3.1.3).
MAX_EMAIL_LENGTH = 254
#: Bytes of a label of a domain (RFC 1035, section 2.3.1).
_MAX_LABEL_LENGTH = 63
#: Characters of a name's key, at most; an index entry has a limited size.
MAX_NAME_KEY_LENGTH = 64
#: The zero-width non-joiner and joiner: Persian and Indic names have them,
#: and so have emoji of several parts.
_JOINERS = "\u200c\u200d"
#: Characters of the text that a search looks through, at most.
MAX_SEARCH_TEXT_LENGTH = 1_024
#: Characters of a value that are read for a key: folding 60 kB of combining
#: marks takes a tenth of a second.
_MAX_READ = 1_024
#: Letters that Unicode does not decompose, as people type them without the
#: letter on their keyboard.
_PLAIN_LETTERS = str.maketrans(
    {
        "ø": "o",
        "đ": "d",
        "ł": "l",
        "ħ": "h",
        "\u0131": "i",
        "æ": "ae",
        "œ": "oe",
    }
)
#: Spaces, unassigned characters, and those of private use.
_SHOWN_CATEGORIES = frozenset({"Zs", "Cn", "Co"})
#: The invisible letters in the flags of regions.
_FIRST_TAG, _LAST_TAG = "\U000e0020", "\U000e007f"


def email_key(email: str) -> str:
    """Return the form by which emails are compared; it is unique.

    It is trimmed, in lower case and in Unicode's form C. The domain is in
    the form of IDNA (UTS 46, non-transitional, as in browsers), but in
    Unicode instead of Punycode, so that a search finds it by its beginning.
    Text that is too long for an address is only trimmed and put in lower
    case: normalizing 60 kB of combining marks takes a tenth of a second.
    """
    text = email.strip()
    if len(text) > MAX_EMAIL_LENGTH:
        return text.casefold()
    if text.isascii() and "xn--" not in (lowered := text.lower()):
        return lowered
    local, at, domain = text.rpartition("@")
    return f"{_fold(local)}@{_domain_key(domain)}" if at else _fold(text)


def _fold(text: str) -> str:
    """Return `text` for caseless comparison (Unicode, D145), in form C."""
    folded = unicodedata.normalize("NFD", text).casefold()
    return unicodedata.normalize("NFC", folded)


def _domain_key(domain: str) -> str:
    """Return the form by which domains are compared."""
    mapped = _idna_mapped(domain)
    if mapped is None:
        return _fold(domain)
    return ".".join(map(_decode_label, mapped.split(".")))


def _decode_label(label: str) -> str:
    """Return the Unicode form of a label in Punycode, others unchanged.

    A label that no Unicode form is encoded to stays as it is.
    """
    if not label.startswith("xn--") or len(label) > _MAX_LABEL_LENGTH:
        return label
    try:
        decoded = label[4:].encode("ascii").decode("punycode")
    except UnicodeError:
        return label
    is_valid = not decoded.isascii() and _idna_mapped(decoded) == decoded
    return decoded if is_valid else label


def _idna_mapped(text: str) -> str | None:
    """Return `text` mapped by UTS 46; `None` if no domain contains it."""
    import idna

    try:
        return idna.uts46_remap(text, std3_rules=False, transitional=False)
    except idna.IDNAError:
        return None


def strip_direction_marks(text: str) -> str:
    """Return `text` without format characters, such as direction marks."""
    return "".join(
        character
        for character in text
        if unicodedata.category(character) != "Cf"
    )


def without_accents(text: str) -> str:
    """Return `text` for a search: without accents, case and blanks around.

    Letters such as ø become plain ones; format characters are left out.
    """
    folded = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(
        character
        for character in folded
        if unicodedata.category(character) not in ("Mn", "Cf")
    )
    return " ".join(plain.casefold().translate(_PLAIN_LETTERS).split())


def name_key(name: str | None) -> str:
    """Return the key by which a name is sorted; "" without a name."""
    return without_accents((name or "")[:_MAX_READ])[:MAX_NAME_KEY_LENGTH]


def search_text(
    email: str | None, first_name: str | None, last_name: str | None
) -> str:
    """Return the text that a search for a user looks through.

    It has the email, also with its domain in Unicode, and both names.
    """
    parts = [email, first_name, last_name]
    if email and (key := email_key(email)) != email.strip().lower():
        parts.insert(1, key)
    known = (without_accents(part[:_MAX_READ]) for part in parts if part)
    return " ".join(known)[:MAX_SEARCH_TEXT_LENGTH]


def display_name(
    first_name: str | None, last_name: str | None, email: str | None
) -> str:
    """Return both names, or the one there is, or the email, or ""."""
    names = [name for name in (first_name, last_name) if name]
    return " ".join(names) or email or ""


def escape_control_characters(line: str) -> str:
    """Return `line` with its control characters escaped.

    A terminal then shows it on one line and interprets nothing in it. What
    writing needs stays as it is: spaces of all kinds, the joiners of
    scripts and emoji, and characters that are newer than this Python.
    Direction marks are escaped: they could reorder a line.
    """
    if line.isprintable():
        return line
    return "".join(
        character if _is_harmless(character) else ascii(character)[1:-1]
        for character in line
    )


def _is_harmless(character: str) -> bool:
    """Return True if a terminal only shows the character."""
    return (
        character.isprintable()
        or character in _JOINERS
        or unicodedata.category(character) in _SHOWN_CATEGORIES
        or _FIRST_TAG <= character <= _LAST_TAG
    )


def is_one_edit(one: str, other: str) -> bool:
    """Return True if one typing error turns `one` into `other`.

    An error is a letter too many, missing, wrong, or swapped with the next.
    """
    if one == other or abs(len(one) - len(other)) > 1:
        return False
    start = next(
        (
            index
            for index, (left, right) in enumerate(
                zip(one, other, strict=False)
            )
            if left != right
        ),
        min(len(one), len(other)),
    )
    left, right = one[start:], other[start:]
    swapped = left[1:2] + left[:1] + left[2:]
    return (
        left[1:] == right
        or left == right[1:]
        or left[1:] == right[1:]
        or (len(left) > 1 and swapped == right)
    )
