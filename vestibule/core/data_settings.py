#!/usr/bin/env python3
"""The settings of stored data: its schema, who may read it, its keys."""

import re

from vestibule.core import setting_types
from vestibule.core.setting_types import Setting

#: The first 63 bytes of a longer name would be another schema's name.
_SCHEMA_NAME = re.compile(r"(?!pg_)[a-z_][a-z0-9_]{0,62}")


def schema_name(text: str | None) -> str | None:
    """Return the name of a PostgreSQL schema that needs no quotes."""
    if text and not _SCHEMA_NAME.fullmatch(text):
        raise ValueError(
            "must be small letters, digits and underscores, at most 63, and"
            f" not begin with a digit or pg_, not {text!r}"
        )
    return text or None


DATABASE_SCHEMA = Setting(
    "DATABASE_SCHEMA",
    None,
    schema_name,
    "Schema of PostgreSQL that has the service's tables, for a database"
    " that an application uses too; `vestibule db upgrade` creates it."
    " Unset: the first schema of the role's `search_path`.",
)
DIRECTORY = Setting(
    "DIRECTORY",
    "off",
    setting_types.one_of("off", "names"),
    "What every user may find out about others by their ids"
    " (`GET /api/v1/users?ids=...`): `names`, or `off`.",
)
SECRETS_KEY = Setting(
    "SECRETS_KEY",
    None,
    setting_types.optional_text,
    "Keys that encrypt stored secrets, such as those of authenticator apps,"
    " separated by blanks: the first one encrypts, all of them decrypt."
    " `vestibule secrets new` makes one. Unset, `SECRETS_KEY_FILE` too:"
    " there are no second factors.",
)
SECRETS_KEY_FILE = Setting(
    "SECRETS_KEY_FILE",
    None,
    setting_types.optional_text,
    "File with these keys, one in each line, with mode 0600 and outside the"
    " folder of the database. It is read once.",
)
