#!/usr/bin/env python3
"""Declarations of the routes of the service itself: status, health, docs."""

from collections.abc import Iterator

from vestibule.api.openapi.operation import (
    JSON,
    UNKNOWN,
    Access,
    Operation,
    Parameter,
    ResponseSpec,
)
from vestibule.core import access_settings, page_settings, settings
from vestibule.db.models.user import Role

TAG = "service"
_IF_NONE_MATCH = Parameter(
    "If-None-Match",
    "header",
    "The `ETag` of the copy that the client has.",
    '"9f2c1a"',
)


def operations() -> Iterator[Operation]:
    """Yield the operations that the current settings enable."""
    yield from _ALWAYS
    if settings.METRICS.read():
        yield _METRICS
    if access_settings.IDENTITY_HEADER.read():
        yield _KEYS
    yield _PASSKEY_ORIGINS
    if page_settings.API_DOCS.read():
        yield from _DOCS


_ALWAYS = (
    Operation(
        "GET",
        "/api/v1/status",
        "getStatus",
        TAG,
        "Show that the service is up",
        {200: ResponseSpec("The service is up.", "Status")},
        access=Access.OPEN,
        asks_database=False,
    ),
    Operation(
        "GET",
        "/api/v1/stats",
        "getStats",
        TAG,
        "Show the number of users",
        {200: ResponseSpec("The number of users.", "Stats")},
    ),
    Operation(
        "GET",
        "/api/v1/unauthorized",
        "getUnauthorized",
        TAG,
        "Show the response to a request without credentials",
        {401: UNKNOWN},
        access=Access.OPEN,
        asks_database=False,
    ),
    Operation(
        "GET",
        "/api/v1/forbidden",
        "getForbidden",
        TAG,
        "Show the response to a refused request",
        {403: ResponseSpec("Always.")},
        access=Access.OPEN,
        asks_database=False,
    ),
    Operation(
        "GET",
        "/healthz",
        "getHealth",
        TAG,
        "Check that the process is alive",
        {
            200: ResponseSpec(
                "The process is alive, with or without the database.", "Status"
            )
        },
        access=Access.OPEN,
        asks_database=False,
    ),
    Operation(
        "GET",
        "/readyz",
        "getReadiness",
        TAG,
        "Check that the service is ready",
        {
            200: ResponseSpec(
                "The database answers, with the right schema.", "Status"
            ),
            503: ResponseSpec(
                "It does not, or its schema is another one.",
                headers=("Retry-After",),
            ),
        },
        access=Access.OPEN,
    ),
)
_METRICS = Operation(
    "GET",
    "/metrics",
    "getMetrics",
    TAG,
    "Show the metrics",
    {
        200: ResponseSpec(
            "In the text format of Prometheus.",
            "Text",
            kind="text/plain",
        )
    },
    access=Access.OPEN,
    asks_database=False,
    text="Not served with `METRICS=off`.",
)
_KEYS = Operation(
    "GET",
    "/.well-known/jwks.json",
    "getKeys",
    TAG,
    "Show the public keys of signed identities",
    {200: ResponseSpec("The keys, valid for five minutes.", "Keys")},
    access=Access.OPEN,
    text="Only served with `IDENTITY_HEADER=on`.",
)
_PASSKEY_ORIGINS = Operation(
    "GET",
    "/.well-known/webauthn",
    "getPasskeyOrigins",
    TAG,
    "Show the origins that may use the passkeys",
    {
        200: ResponseSpec("The origins.", "PasskeyOrigins"),
        404: ResponseSpec("`PASSKEY_ORIGINS` is not set."),
    },
    access=Access.OPEN,
    asks_database=False,
)


def _file(path: str, name: str, summary: str, kind: str) -> Operation:
    """Return the declaration of a file that browsers cache."""
    return Operation(
        "GET",
        path,
        name,
        TAG,
        summary,
        {
            200: ResponseSpec(
                "The file.",
                "Description" if kind == JSON else "Text",
                ("ETag",),
                kind,
            ),
            304: ResponseSpec(
                "The copy of the client is current.", None, ("ETag",)
            ),
        },
        access=Access.OPEN,
        asks_database=False,
        parameters=(_IF_NONE_MATCH,),
        text="Not served with `API_DOCS=off`.",
    )


_DOCS = (
    _file("/openapi.json", "getDescription", "Show this description", JSON),
    _file(
        "/docs",
        "getViewer",
        "Show a page to read and try this API",
        "text/html",
    ),
    _file(
        "/docs/viewer.css",
        "getViewerStyle",
        "Send the style of that page",
        "text/css",
    ),
    _file(
        "/docs/viewer.js",
        "getViewerScript",
        "Send the script of that page",
        "text/javascript",
    ),
)


def _forwarded(name: str, meaning: str, example: str) -> Parameter:
    """Return a header that a trusted proxy sends (`TRUSTED_PROXIES`)."""
    return Parameter(f"X-Forwarded-{name}", "header", meaning, example)


#: The query and headers of forward authentication.
VERIFY_PARAMETERS = (
    Parameter(
        "redirect",
        "query",
        "`off`: 401 instead of 302, with the `Location`.",
        "off",
        ("off",),
    ),
    Parameter(
        "role",
        "query",
        "The role that the user must have.",
        "admin",
        tuple(Role),
    ),
    Parameter(
        "groups",
        "query",
        "A group of the user; several: the user must be in one.",
        "member",
        tuple(Role),
    ),
    Parameter(
        "recent",
        "query",
        "`on`: `Remote-Recent` is `true` if the user confirmed the"
        " password within `REAUTH_WINDOW`, else `false`.",
        "on",
        ("on",),
    ),
    _forwarded("Host", "The host of the original request.", "app.example"),
    _forwarded("Uri", "The path of the original request.", "/inbox"),
    _forwarded("Proto", "The scheme of the original request.", "https"),
    Parameter(
        "Sec-Fetch-Mode",
        "header",
        "`navigate`: a browser loads a page.",
        "navigate",
    ),
)
