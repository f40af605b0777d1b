#!/usr/bin/env python3
"""Examples, put together from those of the single fields.

The headers of answers, each declared once.

What a declaration says of a route, and what follows for each of them.

Its law: what all routes of a kind have in common (who is let in, what a
body may be, what a database can do) is said here, and only what is a
route's own stands in its declaration.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple

from vestibule.identity.header import HEADER


def example_of(schema: dict[str, Any], shapes: dict[str, Any]) -> Any:
    """Return something that has the form of `schema`.

    `shapes` are those that a reference may name.
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
    """Return a header object; `always` says that no answer is without."""
    return {
        "description": text,
        "required": always,
        "schema": {**_TEXT, **schema},
        "example": example,
    }


#: What the answers of the API have, whatever their status.
EVERYWHERE = {
    "Cache-Control": _header(
        "Whether the answer may be kept: what is personal may not.",
        "no-store",
        True,
    ),
    "Content-Security-Policy": _header(
        "What a browser may do with the answer.",
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none';"
        " form-action 'none'",
        True,
    ),
    "Content-Length": _header("Bytes of the body.", "17"),
    "Cross-Origin-Opener-Policy": _header(
        "Keeps windows of other sites apart.", "same-origin", True
    ),
    "Referrer-Policy": _header(
        "Which addresses links tell of.", "no-referrer", True
    ),
    "Vary": _header(
        "What of the request the answer depends on.",
        "Cookie, Authorization",
        True,
    ),
    "X-Content-Type-Options": _header(
        "Keeps browsers from guessing what this is.", "nosniff", True
    ),
    "Access-Control-Allow-Origin": _header(
        "Whose pages may read the answer (`CORS_ORIGINS`); never with"
        " credentials, and never a page of the service.",
        "*",
    ),
    "Strict-Transport-Security": _header(
        "Where the request came by TLS.", "max-age=63072000"
    ),
}
#: What some answers have.
SPECIAL = {
    "Clear-Site-Data": _header(
        "What the browser drops.", '"cache", "storage"', True
    ),
    "Content-Disposition": _header(
        "Under which name a browser keeps the file.",
        'attachment; filename="events-2026-01-31.csv"',
        True,
        pattern="^attachment; filename=",
    ),
    "ETag": _header("Names this very content.", '"9f2c1a"', True),
    "Location": _header(
        "Where to sign in; of a 401, where a page would have been led to.",
        "/sign-in?rd=https%3A%2F%2Fapp.example%2F",
    ),
    "Remote-Email": _header(
        "The user's email, percent-encoded where it must be.",
        "bob@hbtn.io",
        True,
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
        "Why the session of the cookie ended, for who has its secret.",
        "reason=expired",
        pattern="^reason=[a-z_]+$",
    ),
    "Set-Cookie": _header(
        "The session's cookie: a new one, or an empty one that ends it.",
        "_my_session_id=1b4e28ba-2fa1-41d2-883f-0016d3cca427; HttpOnly;"
        " Path=/; SameSite=Lax",
    ),
    "WWW-Authenticate": _header(
        "How one may authenticate: `Basic` under `basic_auth`, else `Cookie`.",
        'Cookie realm="vestibule"',
        True,
    ),
    HEADER: _header(
        "Who the user is, signed (`IDENTITY_HEADER`); empty where that is"
        " off.",
        "eyJhbGciOiJFZERTQSJ9.e30.c2ln",
        True,
    ),
}
ALL = EVERYWHERE | SPECIAL


def references(*names: str) -> dict[str, Any]:
    """Return the headers with these names, and those of every answer."""
    return {
        name: {"$ref": f"#/components/headers/{name}"}
        for name in sorted({*EVERYWHERE, *names})
    }


JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

#: What is said of a route that asks for the password again.
REAUTH_REQUIRED = (
    "Needs a proof of the admin's password within `REAUTH_WINDOW`."
)


class Access(Enum):
    """Whom a route is for."""

    OPEN = "Nobody is asked who they are."
    KNOWN = "For whoever may come in."
    POLICY = "For admins; `AUTHZ_POLICY` says for whom else."
    ADMIN = "For admins."


class ResponseSpec(NamedTuple):
    """An answer: what it means, its shape and its special headers."""

    meaning: str
    #: The name of a schema, or a list of one; nothing: no body.
    shape: str | list[str] | None = "Error"
    headers: tuple[str, ...] = ()
    kind: str = JSON
    #: Operations that can be asked next, for what this answer names.
    leads_to: tuple[str, ...] = ()
    #: Where it is a text of one kind or another: each kind, and an example.
    texts: tuple[tuple[str, str], ...] = ()


class BodySpec(NamedTuple):
    """What a request brings: the name of a schema and how it is written."""

    shape: str
    kind: str = JSON


class Parameter(NamedTuple):
    """Something that a request may say beside its body."""

    name: str
    place: str
    meaning: str
    example: str | int
    choices: tuple[str, ...] = ()
    #: What its schema has beside, if it is not just any text.
    more: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Operation:
    """A method of a route, as its declaration describes it."""

    method: str
    #: As Flask has it: `/api/v1/users/<user_id>`.
    path: str
    #: The name by which programs call it.
    name: str
    tag: str
    summary: str
    answers: Mapping[int, ResponseSpec]
    access: Access = Access.KNOWN
    text: str = ""
    body: BodySpec | None = None
    parameters: tuple[Parameter, ...] = ()
    #: Whether it asks the database, and so may find it gone.
    asks_database: bool = True
    #: Whether it takes a password or a code, and so can be told to wait.
    takes_secret: bool = False
    #: Whether all its refusals are 401, as proxies understand them.
    is_gate: bool = False

    @property
    def is_guarded(self) -> bool:
        """Tell whether somebody has to be known."""
        return self.access is not Access.OPEN

    def all_answers(self) -> dict[int, ResponseSpec]:
        """Return its own answers, and those that follow from its kind."""
        found: dict[int, ResponseSpec] = {}
        if self.body is not None:
            found[400] = ResponseSpec("The body is not what it should be.")
            found[413] = ResponseSpec("The body is too large.")
        if self.is_guarded:
            found[401] = UNKNOWN
        if (self.is_guarded and not self.is_gate) or self.method != "GET":
            found[403] = REFUSED
        if self.is_guarded or self.takes_secret:
            found[429] = WAIT
        if self.is_guarded or self.asks_database:
            found[503] = AWAY
        found[500] = ResponseSpec("A defect; what happened is in the log.")
        return dict(sorted({**found, **self.answers}.items()))


UNKNOWN = ResponseSpec(
    "No credential came along, or the password is wrong.",
    headers=("WWW-Authenticate",),
)
REFUSED = ResponseSpec(
    "The credential opens nothing, its user may not do this, another site"
    " is behind the request, or the password has to be proved again first.",
    headers=("Session-Ended",),
)
WAIT = ResponseSpec(
    "Too many attempts failed. Under `basic_auth` every request is one.",
    headers=("Retry-After",),
)
AWAY = ResponseSpec(
    "The database is away or locked, or too many passwords are being checked.",
    headers=("Retry-After",),
)


def openapi_path(path: str) -> str:
    """Return a path of Flask's as OpenAPI writes it."""
    return path.replace("<", "{").replace(">", "}")


def path_parameters(path: str) -> list[str]:
    """Return the names of the parts of a path that are chosen."""
    return [part.split(">")[0] for part in path.split("<")[1:]]


def link(operation: Operation, name: str) -> dict[str, Any]:
    """Return a link to `operation`, for the `id` of what was answered."""
    return {
        "operationId": operation.name,
        "parameters": {name: "$response.body#/id"},
        "description": operation.summary,
    }
