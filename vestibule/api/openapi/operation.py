#!/usr/bin/env python3
"""The types of a declaration, and what follows from them for each route.

What all routes of a kind have in common (access, bodies, database errors)
is defined here; a route's declaration has only what is specific to it. The
response headers and the examples are here too."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple

from vestibule.identity.header import FACTS_HEADER, HEADER, RECENT_HEADER


def example_of(schema: dict[str, Any], shapes: dict[str, Any]) -> Any:
    """Return an example of `schema`, built from those of its fields.

    `shapes` are the schemas that a reference may name.
    """
    if "$ref" in schema:
        return example_of(shapes[schema["$ref"].rsplit("/", 1)[1]], shapes)
    if schema["type"] == "array":
        return [example_of(schema["items"], shapes)]
    if schema["type"] == "object":
        return {
            name: example_of(field, shapes)
            for name, field in schema["properties"].items()
            if name in schema["required"]
        }
    return schema["examples"][0]


_TEXT = {"type": "string"}


def _header(
    text: str, example: str, always: bool = False, **schema: Any
) -> dict[str, Any]:
    """Return a header object; `always` means every response has it."""
    return {
        "description": text,
        "required": always,
        "schema": {**_TEXT, **schema},
        "example": example,
    }


#: The headers of every response.
EVERYWHERE = {
    "Cache-Control": _header(
        "Whether the response may be cached; personal data may not.",
        "no-store",
        True,
    ),
    "Content-Security-Policy": _header(
        "What a browser may do with the response.",
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none';"
        " form-action 'none'",
        True,
    ),
    "Content-Length": _header("Bytes of the body.", "17"),
    "Cross-Origin-Opener-Policy": _header(
        "Isolates windows of other sites.", "same-origin", True
    ),
    "Referrer-Policy": _header(
        "Which address the browser sends as referrer.", "no-referrer", True
    ),
    "Vary": _header(
        "The request headers that the response depends on.",
        "Cookie, Authorization",
        True,
    ),
    "X-Content-Type-Options": _header(
        "Stops browsers from guessing the type.", "nosniff", True
    ),
    "Access-Control-Allow-Origin": _header(
        "The origins that may read the response (`CORS_ORIGINS`).",
        "*",
    ),
    "Strict-Transport-Security": _header(
        "Sent if the request came over TLS.", "max-age=63072000"
    ),
}
#: The headers of some responses.
SPECIAL = {
    "Clear-Site-Data": _header(
        "What the browser deletes (`CLEAR_SITE_DATA`).", '"storage"'
    ),
    "Content-Disposition": _header(
        "The file name for the browser.",
        'attachment; filename="events-2026-01-31.csv"',
        True,
        pattern="^attachment; filename=",
    ),
    "ETag": _header("Identifies this content.", '"9f2c1a"', True),
    "Link": _header(
        "The address of the next page of a list.",
        '</api/v1/auth_session/sessions?limit=200&after=9f2c1a7b>; rel="next"',
        pattern='^<.*>; rel="next"$',
    ),
    "Location": _header(
        "Where to sign in; with 401, the target of the redirect.",
        "/sign-in?rd=https%3A%2F%2Fapp.example%2F",
    ),
    "Remote-Assurance": _header(
        "The level of the session: `2` with two factors, else `1`.",
        "1",
        True,
        pattern="^[12]?$",
    ),
    "Remote-Email": _header(
        "The user's email, percent-encoded where it must be.",
        "bob@example.com",
        True,
    ),
    "Remote-Email-Verified": _header(
        "Whether the user has confirmed the email: always `false` so far.",
        "false",
        True,
        const="false",
    ),
    "Remote-Groups": _header(
        "The user's role: `member` or `admin`.", "member", True
    ),
    "Remote-User": _header(
        "The user's id.", "7f8b5c1e-53a5-4b1c-9d5e-0a6f3a1c2b4d", True
    ),
    "Retry-After": _header(
        "Seconds to wait before another try.", "2", pattern="^[0-9]+$"
    ),
    "Session-Ended": _header(
        "Why the session of the cookie ended.",
        "reason=expired",
        pattern="^reason=[a-z_]+$",
    ),
    "Set-Cookie": _header(
        "The session cookie: a new one, or an empty one to delete it.",
        "_my_session_id=1b4e28ba-2fa1-41d2-883f-0016d3cca427; HttpOnly;"
        " Path=/; SameSite=Lax",
    ),
    "WWW-Authenticate": _header(
        "How to authenticate: `Basic` under `basic_auth`, else `Cookie`.",
        'Cookie realm="vestibule"',
        True,
    ),
    FACTS_HEADER: _header(
        "How and when the user signed in: claims of the identity, as JSON.",
        '{"auth_time":1796000000,"amr":["pwd"],"acr":"urn:vestibule:level:1",'
        '"phishing_resistant":false,"reauth_window":300}',
        pattern=r"^\{.*\}$",
    ),
    RECENT_HEADER: _header(
        "Whether the user confirmed the password within `REAUTH_WINDOW`; only"
        " with `recent=on`.",
        "true",
        pattern="^(true|false)$",
    ),
    HEADER: _header(
        "The signed identity of the user (`IDENTITY_HEADER`); empty if"
        " that is off.",
        "eyJhbGciOiJFZERTQSJ9.e30.c2ln",
        True,
    ),
}
ALL = EVERYWHERE | SPECIAL


def references(*names: str) -> dict[str, Any]:
    """Return references to these headers and to those of every response."""
    return {
        name: {"$ref": f"#/components/headers/{name}"}
        for name in sorted({*EVERYWHERE, *names})
    }


JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
#: What the routes that take a password read.
FORM_OR_JSON = (FORM, JSON)

#: The text of a route that needs a recently confirmed password.
REAUTH_REQUIRED = (
    "Needs the admin's password confirmed within `REAUTH_WINDOW`."
)


class Access(Enum):
    """Who may use a route; the values are shown in the description."""

    OPEN = "Needs no authentication."
    KNOWN = "For every authenticated user."
    POLICY = "For admins; `AUTHZ_POLICY` can allow others."
    ADMIN = "For admins."


class ResponseSpec(NamedTuple):
    """A response: what it means, its schema and its special headers."""

    meaning: str
    #: The name of a schema, or a list of one; nothing: no body.
    shape: str | list[str] | None = "Error"
    headers: tuple[str, ...] = ()
    kind: str = JSON
    #: Operations that take the id in this response (links).
    leads_to: tuple[str, ...] = ()
    #: For a text in one of several formats: media type and example.
    texts: tuple[tuple[str, str], ...] = ()


class BodySpec(NamedTuple):
    """A request body: the name of a schema and the media types."""

    shape: str
    kinds: tuple[str, ...] = (JSON,)


class Parameter(NamedTuple):
    """A parameter in the query or a header."""

    name: str
    place: str
    meaning: str
    example: str | int
    choices: tuple[str, ...] = ()
    #: More keys of its schema, if it is not any text.
    more: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Operation:
    """A method of a route, as its declaration describes it."""

    method: str
    #: In Flask's form: `/api/v1/users/<user_id>`.
    path: str
    #: The `operationId`.
    name: str
    tag: str
    summary: str
    answers: Mapping[int, ResponseSpec]
    access: Access = Access.KNOWN
    text: str = ""
    body: BodySpec | None = None
    parameters: tuple[Parameter, ...] = ()
    #: Whether it needs the database, and so may answer 503.
    asks_database: bool = True
    #: Whether it takes a password or a code, and so may answer 429.
    takes_secret: bool = False
    #: Whether it refuses with 401 only, which proxies understand.
    is_forward_auth: bool = False

    @property
    def is_guarded(self) -> bool:
        """Return True if the route needs an authenticated user."""
        return self.access is not Access.OPEN

    def all_answers(self) -> dict[int, ResponseSpec]:
        """Return its own responses, and those that all of its kind have."""
        found: dict[int, ResponseSpec] = {}
        if self.body is not None:
            found[400] = ResponseSpec("The body is invalid.")
            found[413] = ResponseSpec("The body is too large.")
        if self.is_guarded:
            found[401] = UNKNOWN
        if (
            self.is_guarded and not self.is_forward_auth
        ) or self.method != "GET":
            found[403] = REFUSED
        if self.is_guarded or self.takes_secret:
            found[429] = WAIT
        if self.is_guarded or self.asks_database:
            found[503] = AWAY
        found[500] = ResponseSpec(
            "An internal error; the cause is in the log."
        )
        return dict(sorted({**found, **self.answers}.items()))


UNKNOWN = ResponseSpec(
    "There are no credentials, or the password is wrong.",
    headers=("WWW-Authenticate",),
)
REFUSED = ResponseSpec(
    "The credentials are invalid, the user may not do this, another site"
    " made the browser send the request, or the password must be confirmed.",
    headers=("Session-Ended",),
)
WAIT = ResponseSpec(
    "Too many attempts failed. Under `basic_auth` every request counts.",
    headers=("Retry-After",),
)
AWAY = ResponseSpec(
    "The database is unavailable, or too many passwords are being checked.",
    headers=("Retry-After",),
)


def openapi_path(path: str) -> str:
    """Return a path of Flask in the form of OpenAPI."""
    return path.replace("<", "{").replace(">", "}")


def path_parameters(path: str) -> list[str]:
    """Return the names of the parameters of a path."""
    return [part.split(">")[0] for part in path.split("<")[1:]]


def link(operation: Operation, name: str) -> dict[str, Any]:
    """Return a link to `operation` with the `id` of the response."""
    return {
        "operationId": operation.name,
        "parameters": {name: "$response.body#/id"},
        "description": operation.summary,
    }
