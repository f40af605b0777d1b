#!/usr/bin/env python3
"""What a declaration says of a route, and what follows for each of them.

Its law: what all routes of a kind have in common (who is let in, what a
body may be, what a database can do) is said here, and only what is a
route's own stands in its declaration.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

#: What is said of a route that asks for the password again.
PROOF = "Needs a proof of the admin's password within `REAUTH_WINDOW`."


class Access(Enum):
    """Whom a route is for."""

    OPEN = "Nobody is asked who they are."
    KNOWN = "For whoever may come in."
    POLICY = "For admins; `AUTHZ_POLICY` says for whom else."
    ADMIN = "For admins."


class Answer(NamedTuple):
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


class Body(NamedTuple):
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
    answers: Mapping[int, Answer]
    access: Access = Access.KNOWN
    text: str = ""
    body: Body | None = None
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

    def all_answers(self) -> dict[int, Answer]:
        """Return its own answers, and those that follow from its kind."""
        found: dict[int, Answer] = {}
        if self.body is not None:
            found[400] = Answer("The body is not what it should be.")
            found[413] = Answer("The body is too large.")
        if self.is_guarded:
            found[401] = UNKNOWN
        if (self.is_guarded and not self.is_gate) or self.method != "GET":
            found[403] = REFUSED
        if self.is_guarded or self.takes_secret:
            found[429] = WAIT
        if self.is_guarded or self.asks_database:
            found[503] = AWAY
        found[500] = Answer("A defect; what happened is in the log.")
        return dict(sorted({**found, **self.answers}.items()))


UNKNOWN = Answer(
    "No credential came along, or the password is wrong.",
    headers=("WWW-Authenticate",),
)
REFUSED = Answer(
    "The credential opens nothing, its user may not do this, another site"
    " is behind the request, or the password has to be proved again first.",
    headers=("Session-Ended",),
)
WAIT = Answer(
    "Too many attempts failed. Under `basic_auth` every request is one.",
    headers=("Retry-After",),
)
AWAY = Answer(
    "The database is away or locked, or too many passwords are being"
    " checked.",
    headers=("Retry-After",),
)


def described(path: str) -> str:
    """Return a path of Flask's as OpenAPI writes it."""
    return path.replace("<", "{").replace(">", "}")


def names_in(path: str) -> list[str]:
    """Return the names of the parts of a path that are chosen."""
    return [part.split(">")[0] for part in path.split("<")[1:]]


def link(operation: Operation, name: str) -> dict[str, Any]:
    """Return a link to `operation`, for the `id` of what was answered."""
    return {
        "operationId": operation.name,
        "parameters": {name: "$response.body#/id"},
        "description": operation.summary,
    }
