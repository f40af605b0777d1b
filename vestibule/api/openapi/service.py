#!/usr/bin/env python3
"""Declarations: the service itself, its watchers and its description."""

from collections.abc import Iterator

from vestibule.api.openapi.operation import (
    JSON,
    UNKNOWN,
    Access,
    Operation,
    Parameter,
    ResponseSpec,
)
from vestibule.core import settings

TAG = "service"
_KEPT = Parameter(
    "If-None-Match",
    "header",
    "The `ETag` of what the client has.",
    '"9f2c1a"',
)


def operations() -> Iterator[Operation]:
    """Yield what there is by the settings of now."""
    yield from _ALWAYS
    if settings.METRICS.read():
        yield _METRICS
    if settings.IDENTITY_HEADER.read():
        yield _KEYS
    if settings.API_DOCS.read():
        yield from _DOCS


_ALWAYS = (
    Operation(
        "GET",
        "/api/v1/status",
        "getStatus",
        TAG,
        "Is it there?",
        {200: ResponseSpec("It answers.", "Status")},
        access=Access.OPEN,
        asks_database=False,
    ),
    Operation(
        "GET",
        "/api/v1/stats",
        "getStats",
        TAG,
        "How many users are there?",
        {200: ResponseSpec("Their number.", "Stats")},
    ),
    Operation(
        "GET",
        "/api/v1/unauthorized",
        "getUnauthorized",
        TAG,
        "Show what a request without a credential is answered",
        {401: UNKNOWN},
        access=Access.OPEN,
        asks_database=False,
    ),
    Operation(
        "GET",
        "/api/v1/forbidden",
        "getForbidden",
        TAG,
        "Show what a credential is answered that opens nothing",
        {403: ResponseSpec("Always.")},
        access=Access.OPEN,
        asks_database=False,
    ),
    Operation(
        "GET",
        "/healthz",
        "getHealth",
        TAG,
        "Is the process alive?",
        {
            200: ResponseSpec(
                "It answers, whatever becomes of the database.", "Status"
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
        "Can it work?",
        {
            200: ResponseSpec(
                "The database answers, with the right schema.", "Status"
            ),
            503: ResponseSpec("It does not, or its schema is another."),
        },
        access=Access.OPEN,
    ),
)
_METRICS = Operation(
    "GET",
    "/metrics",
    "getMetrics",
    TAG,
    "What was counted since the start",
    {
        200: ResponseSpec(
            "In the text format of Prometheus.",
            "Text",
            kind="text/plain",
        )
    },
    access=Access.OPEN,
    asks_database=False,
    text="There is none with `METRICS=off`.",
)
_KEYS = Operation(
    "GET",
    "/.well-known/jwks.json",
    "getKeys",
    TAG,
    "The keys that check signed identities",
    {200: ResponseSpec("Good for five minutes.", "Keys")},
    access=Access.OPEN,
    text="There are some with `IDENTITY_HEADER=on`.",
)


def _file(path: str, name: str, summary: str, kind: str) -> Operation:
    """Return the declaration of a file that browsers keep."""
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
            304: ResponseSpec("The client has it.", None, ("ETag",)),
        },
        access=Access.OPEN,
        asks_database=False,
        parameters=(_KEPT,),
        text="There is none with `API_DOCS=off`.",
    )


_DOCS = (
    _file("/openapi.json", "getDescription", "This description", JSON),
    _file(
        "/docs", "getViewer", "A page to read and try this API", "text/html"
    ),
    _file(
        "/docs/viewer.css", "getViewerStyle", "How that page looks", "text/css"
    ),
    _file(
        "/docs/viewer.js",
        "getViewerScript",
        "What that page does",
        "text/javascript",
    ),
)
