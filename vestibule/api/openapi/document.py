#!/usr/bin/env python3
"""The declarations put together: one document of OpenAPI 3.1.

Its law: it describes the service as it runs, with the cookie's name, the
mechanism and the limits of its settings.

What many operations answer alike, written once and referred to.
"""

import json
from collections import Counter
from collections.abc import Iterator
from functools import partial
from http import HTTPStatus
from typing import Any

from vestibule.api.openapi import admin, admin_lists, service, sessions, users
from vestibule.api.openapi.admin_schemas import admin_schemas
from vestibule.api.openapi.operation import (
    ALL,
    Operation,
    Parameter,
    ResponseSpec,
    example_of,
    link,
    openapi_path,
    path_parameters,
    references,
)
from vestibule.api.openapi.schemas import (
    reference,
    request_schemas,
    response_schemas,
    text,
)
from vestibule.core import settings
from vestibule.mechanisms.auth import Auth
from vestibule.mechanisms.basic_auth import BasicAuth
from vestibule.mechanisms.session_mechanism import sessions_of

VERSION = "1.0.0"
_ABOUT = """\
Users, logins and sessions in front of a Python API.

Every route answers with and without a slash at its end, `HEAD` as `GET`
without a body, and `OPTIONS`. Before anything else a request without a
credential gets 401, and one whose credential opens nothing 403. A wrong
method gets 405 with `Allow`, an unknown path 404."""
_TAGS = {
    sessions.TAG: "Log in, log out, see and end one's sessions.",
    users.TAG: "Accounts, one's own and others'.",
    admin.TAG: "What admins do to other people's accounts.",
    admin_lists.TAG: "What admins see of everybody, by search and by page.",
    service.TAG: "The service itself, and who watches it.",
}
_PLACES = {
    "user_id": ("The user's id.", "7f8b5c1e-53a5-4b1c-9d5e-0a6f3a1c2b4d"),
    "handle": (
        "The session's handle: the `id` in a list of sessions.",
        "0d2b6a54-8f0c-4c5e-9f9e-3f0f6c6f3f11",
    ),
}


def operations() -> Iterator[Operation]:
    """Yield all declarations; a module with more is named here."""
    yield from sessions.OPERATIONS
    yield from users.OPERATIONS
    yield from admin.OPERATIONS
    yield from admin_lists.OPERATIONS
    yield from service.operations()


def document(auth: Auth | None) -> dict[str, Any]:
    """Return the description of the API under the mechanism `auth`."""
    known = {one.name: one for one in operations()}
    shapes = {
        **response_schemas(),
        **request_schemas(),
        **admin_schemas(),
        "Text": {"type": "string"},
        "Description": {"type": "object", "required": ["openapi"]},
    }
    write = partial(_written, known, shapes, _requirement(auth))
    paths: dict[str, Any] = {}
    for one in known.values():
        entry = paths.setdefault(openapi_path(one.path), {})
        entry[one.method.lower()] = write(one)
    responses = shared_responses(paths)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Vestibule",
            "version": VERSION,
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/", "description": "This service."}],
        "tags": [
            {"name": name, "description": meaning}
            for name, meaning in _TAGS.items()
        ],
        "paths": paths,
        "components": {
            "schemas": shapes,
            "headers": ALL,
            "responses": responses,
            "securitySchemes": _schemes(),
        },
    }


def _schemes() -> dict[str, Any]:
    """Return the ways to say who one is."""
    return {
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.SESSION_NAME.read() or "unset",
            "description": "A session's cookie: under the mechanisms with"
            " sessions.",
        },
        "basic": {
            "type": "http",
            "scheme": "basic",
            "description": "Email and password: under `basic_auth`.",
        },
    }


def _requirement(auth: Auth | None) -> list[dict[str, list[str]]]:
    """Return what a guarded route asks for under `auth`."""
    if auth is None:
        return []
    if sessions_of(auth).has_store:
        return [{"session": []}]
    if isinstance(auth, BasicAuth):
        return [{"basic": []}]
    # A mechanism of somebody's own may take either.
    return [{"session": []}, {"basic": []}]


def _written(
    known: dict[str, Operation],
    shapes: dict[str, Any],
    requirement: list[dict[str, list[str]]],
    one: Operation,
) -> dict[str, Any]:
    """Return the operation object of a declaration."""
    written: dict[str, Any] = {
        "operationId": one.name,
        "tags": [one.tag],
        "summary": one.summary,
        "description": f"{one.access.value} {one.text}".strip(),
        "security": requirement if one.is_guarded else [],
        "parameters": [
            *map(_place, path_parameters(one.path)),
            *map(_parameter, one.parameters),
        ],
        "responses": {
            str(status): _answer(known, shapes, answer)
            for status, answer in one.all_answers().items()
        },
    }
    if one.body is not None:
        shape = reference(one.body.shape)
        written["requestBody"] = {
            "required": True,
            "content": {
                one.body.kind: {
                    "schema": shape,
                    "example": example_of(shape, shapes),
                }
            },
        }
    return written


def _answer(
    known: dict[str, Operation], shapes: dict[str, Any], answer: ResponseSpec
) -> dict[str, Any]:
    """Return the response object of an answer."""
    written: dict[str, Any] = {
        "description": answer.meaning,
        "headers": references(*answer.headers),
    }
    if answer.shape is not None:
        shape = _shape(answer.shape)
        content: dict[str, Any] = {"schema": shape}
        if answer.shape not in ("Text", "Description"):
            content["example"] = example_of(shape, shapes)
        written["content"] = {
            kind: {"schema": shape, "example": example}
            for kind, example in answer.texts
        } or {answer.kind: content}
    if answer.leads_to:
        written["links"] = {
            name: link(known[name], path_parameters(known[name].path)[0])
            for name in answer.leads_to
        }
    return written


def _shape(named: str | list[str]) -> dict[str, Any]:
    """Return the schema that an answer names, perhaps of a list."""
    if isinstance(named, str):
        return reference(named)
    return {"type": "array", "items": reference(named[0])}


def _place(name: str) -> dict[str, Any]:
    """Return the parameter object of a part of a path."""
    meaning, example = _PLACES[name]
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": text(meaning, example, minLength=1),
        "example": example,
    }


def _parameter(one: Parameter) -> dict[str, Any]:
    """Return the parameter object of what a request may say."""
    choices = {"enum": list(one.choices)} if one.choices else {}
    return {
        "name": one.name,
        "in": one.place,
        "schema": text(one.meaning, one.example, **choices, **one.more),
        "description": one.meaning,
        "example": one.example,
    }


def shared_responses(paths: dict[str, Any]) -> dict[str, Any]:
    """Return the responses that stand in `paths` more than once, by name.

    There a reference takes the place of each: without, the document would
    have three times the size.
    """
    times = Counter(
        _text(responses[status]) for responses, status in _places(paths)
    )
    named: dict[str, str] = {}
    found: dict[str, Any] = {}
    for responses, status in _places(paths):
        response = responses[status]
        text = _text(response)
        if times[text] == 1:
            continue
        if text not in named:
            named[text] = _free_name(status, found)
            found[named[text]] = response
        responses[status] = {"$ref": f"#/components/responses/{named[text]}"}
    return found


def _places(paths: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the responses of each operation with each of their statuses."""
    for entry in paths.values():
        for operation in entry.values():
            responses = operation["responses"]
            for status in responses:
                yield responses, status


def _text(response: dict[str, Any]) -> str:
    """Return what two responses have in common if they are alike."""
    return json.dumps(response, sort_keys=True)


def _free_name(status: str, taken: dict[str, Any]) -> str:
    """Return a name for a response with this status: `NotFound`."""
    phrase = HTTPStatus(int(status)).phrase.replace(" ", "")
    number = 1
    name = phrase
    while name in taken:
        number += 1
        name = f"{phrase}{number}"
    return name
