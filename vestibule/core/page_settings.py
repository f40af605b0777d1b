#!/usr/bin/env python3
"""The settings of what people see: pages, addresses and documentation."""

from vestibule.core import host_types, setting_types
from vestibule.core.setting_types import Setting

WEB_PAGES = Setting(
    "WEB_PAGES",
    "off",
    setting_types.on_or_off,
    "Whether there are web pages besides the API; `on` or `off`. They need"
    " a mechanism with sessions.",
)
REGISTRATION = Setting(
    "REGISTRATION",
    "closed",
    setting_types.one_of("open", "closed"),
    "Whether anonymous visitors may create an account on the pages: `open`"
    " or `closed`.",
)
BRAND_NAME = Setting(
    "BRAND_NAME",
    "Vestibule",
    setting_types.non_empty,
    "Name that the pages show.",
)
BRAND_LOGO = Setting(
    "BRAND_LOGO",
    None,
    setting_types.optional_text,
    "Path of the logo that the pages show, at most 20,000 bytes of SVG,"
    " PNG, JPEG or WebP. Unset: Vestibule's logo.",
)
BRAND_COLOR = Setting(
    "BRAND_COLOR",
    "#1f5fae",
    setting_types.color,
    "Color of buttons and links, as `#` and six hex digits; links are"
    " darkened or lightened until they are readable.",
)
CLEAR_SITE_DATA = Setting(
    "CLEAR_SITE_DATA",
    "none",
    setting_types.some_of("cache", "storage"),
    "What browsers delete at sign-out for the whole origin, other"
    " applications on it included: `cache`, `storage`, both separated by a"
    " comma, or `none`.",
    hardened="cache,storage",
)
API_DOCS = Setting(
    "API_DOCS",
    "on",
    setting_types.on_or_off,
    "Whether `/openapi.json` describes the API and `/docs` lets people try"
    " it, without authentication; `on` or `off`.",
    hardened="off",
)
APP_HOSTS = Setting(
    "APP_HOSTS",
    "",
    host_types.application_hosts,
    "Hosts of applications, separated by commas, that get a session of"
    " their own from the sign-in host, also of another domain"
    " (`app.example`, `wiki.example:8443`). They need"
    " `AUTH_TYPE=session_db_auth`, `WEB_PAGES=on` and a whole URL as"
    " `LOGIN_URL`; not with `COOKIE_DOMAIN`.",
)
PUBLIC_URL = Setting(
    "PUBLIC_URL",
    None,
    setting_types.http_url,
    "Address at which people reach the service, such as"
    " `https://auth.example.com`; messages show it. Unset: the address that"
    " the server listens on.",
)
PASSKEY_RP_ID = Setting(
    "PASSKEY_RP_ID",
    None,
    host_types.rp_id,
    "Domain that passkeys are made for. Passkeys of another one cannot sign"
    " in any more. Unset: the host of `PUBLIC_URL`.",
)
PASSKEY_ORIGINS = Setting(
    "PASSKEY_ORIGINS",
    "",
    host_types.passkey_origins,
    "Exact origins, separated by commas, whose pages may use passkeys, such"
    " as `https://auth.example.com`. `/.well-known/webauthn` lists them, for"
    " those outside of `PASSKEY_RP_ID`. Unset: that of `PUBLIC_URL`.",
)
APP_NAME = Setting(
    "APP_NAME",
    None,
    setting_types.optional_text,
    "Name of the application that people come from; the pages have a link"
    " back to it. Unset: the link has no name. It needs `APP_URL`.",
)
APP_URL = Setting(
    "APP_URL",
    None,
    host_types.page_url,
    "Address of that application: a path of the current host, such as `/`,"
    " or a whole URL. People get there after signing in, unless they came"
    " from another page. Unset: no link, they get to their account.",
)
