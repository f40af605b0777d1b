#!/usr/bin/env python3
"""The settings of access: identity tokens, stored data, second factors.

They say for which applications identities are signed, who can read what is
stored, and what users must prove.
"""

import re

from vestibule.core import host_types, setting_types
from vestibule.core.assurance import Role
from vestibule.core.setting_types import Setting, is_given

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


IDENTITY_HEADER = Setting(
    "IDENTITY_HEADER",
    "off",
    setting_types.on_or_off,
    "Whether the response of verify has a signed identity token,"
    " `X-Vestibule-Identity`; `on` or `off`.",
)
IDENTITY_HOSTS = Setting(
    "IDENTITY_HOSTS",
    "",
    host_types.audiences,
    "Hosts of the applications, separated by commas, for which identity"
    " tokens are signed (`app.example`, `app.example:8443`, `localhost:*`);"
    " `IDENTITY_HEADER` needs at least one.",
)
IDENTITY_SIGNING_KEY = Setting(
    "IDENTITY_SIGNING_KEY",
    None,
    setting_types.pem,
    "Ed25519 private key (PKCS 8, PEM; line breaks may be written as `\\n`)"
    " that signs identity tokens. Unset: one is generated and stored in the"
    " database.",
)
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
REQUIRE_MFA = Setting(
    "REQUIRE_MFA",
    "off",
    setting_types.one_of("off", "admins", "all"),
    "Which users must have a second factor: `admins`, `all`, or `off`. A user"
    " without one can only set one up, and sign out. It needs `SECRETS_KEY`"
    " and a mechanism with sessions; the default of `hardened` counts only"
    " with them.",
    hardened="admins",
)
MFA_GRACE = Setting(
    "MFA_GRACE",
    "14",
    setting_types.integer_between(0, 365),
    "Days that a user has to set up a second factor, from the first request"
    " at which `REQUIRE_MFA` asked for one. 0: at once.",
    hardened="0",
)
GATE_RULES = Setting(
    "GATE_RULES",
    None,
    setting_types.optional_text,
    "TOML file of the rules that say, by host, path, method, network and"
    " role, what a request through forward authentication needs. Read once,"
    " at the start; it needs `TRUSTED_PROXIES`. Unset: a signed-in user.",
)


def has_secrets_key() -> bool:
    """Return True if a key for stored secrets is configured."""
    return bool(SECRETS_KEY.text() or SECRETS_KEY_FILE.text())


def required_of() -> str:
    """Return whom a second factor is required of: "off", "admins" or "all".

    The default of a profile has no effect without a key for secrets, since
    users could not set up a factor then.
    """
    if not is_given(REQUIRE_MFA) and not has_secrets_key():
        return "off"
    return REQUIRE_MFA.read()


def is_factor_required(role: object) -> bool:
    """Return True if users with this role must have a second factor."""
    required = required_of()
    return required == "all" or (required == "admins" and role == Role.ADMIN)
