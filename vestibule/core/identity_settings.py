#!/usr/bin/env python3
"""The settings of identity tokens: whether, for which hosts, which key."""

from vestibule.core import host_types, setting_types
from vestibule.core.setting_types import Setting

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
