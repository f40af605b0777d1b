#!/usr/bin/env python3
"""Build the OpenAPI 3.1 document from the declarations.

It describes the service as it runs, with the cookie's name, the mechanism
and the limits of its settings. Equal responses of several operations are
written once and referred to."""

import json
from collections import Counter
from collections.abc import Iterator
from functools import partial
from http import HTTPStatus
from typing import Any

from vestibule.api.openapi import (
    accounts,
    admin,
    factors,
    passkeys,
    service,
    users,
)
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

Every route works with and without a trailing slash, and answers `HEAD` and
`OPTIONS`. Authentication comes first: a request without credentials gets
401, one with invalid credentials 403. A wrong method gets 405 with `Allow`,
an unknown path 404."""
_TAGS = {
    accounts.SESSIONS_TAG: "Log in, log out, list and end your sessions.",
    factors.TAG: "Enroll apps and passkeys, and log in with them.",
    users.USERS_TAG: "Users, and your own account.",
    admin.ACTIONS_TAG: "Change the accounts of other users.",
    admin.LISTS_TAG: "Search users, sessions and events, by page.",
    service.TAG: "The service itself: status, health, metrics, docs.",
}
_PATH_PARAMETERS = {
    "factor_id": ("The factor's id.", factors.FACTOR_ID),
    "browser_id": (
        "The `id` in a list of trusted browsers.",
        factors.BROWSER_ID,
    ),
    "user_id": ("The user's id.", "7f8b5c1e-53a5-4b1c-9d5e-0a6f3a1c2b4d"),
    "handle": (
        "The session's handle: the `id` in a list of sessions.",
        "0d2b6a54-8f0c-4c5e-9f9e-3f0f6c6f3f11",
    ),
}


def operations() -> Iterator[Operation]:
    """Yield all declarations."""
    yield from accounts.SESSION_OPERATIONS
    yield from factors.FACTOR_OPERATIONS
    yield from passkeys.PASSKEY_OPERATIONS
    yield from users.USER_OPERATIONS
    yield from admin.ACTION_OPERATIONS
    yield from admin.LIST_OPERATIONS
    yield from users.INVITATION_OPERATIONS
    yield from service.operations()


def document(auth: Auth | None, base_path: str = "") -> dict[str, Any]:
    """Return the description of the API under the mechanism `auth`.

    `base_path` is the path below which clients reach the service.
    """
    known = {one.name: one for one in operations()}
    shapes = {
        **response_schemas(),
        **request_schemas(),
        **admin_schemas(),
        **factors.factor_schemas(),
        **passkeys.passkey_schemas(),
        "Text": {"type": "string"},
        "Description": {"type": "object", "required": ["openapi"]},
    }
    write = partial(_operation_object, known, shapes, _requirement(auth))
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
        "servers": [{"url": base_path or "/", "description": "This service."}],
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
    """Return the ways to authenticate."""
    return {
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.SESSION_NAME.read() or "unset",
            "description": "The session cookie, for mechanisms with sessions.",
        },
        "basic": {
            "type": "http",
            "scheme": "basic",
            "description": "Email and password, for `basic_auth`.",
        },
    }


def _requirement(auth: Auth | None) -> list[dict[str, list[str]]]:
    """Return the security requirement of a guarded route."""
    if auth is None:
        return []
    if sessions_of(auth).has_store:
        return [{"session": []}]
    if isinstance(auth, BasicAuth):
        return [{"basic": []}]
    # A mechanism defined elsewhere may take either.
    return [{"session": []}, {"basic": []}]


def _operation_object(
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
            *map(_path_parameter, path_parameters(one.path)),
            *map(_query_parameter, one.parameters),
        ],
        "responses": {
            str(status): _response_object(known, shapes, answer)
            for status, answer in one.all_answers().items()
        },
    }
    if one.body is not None:
        shape = reference(one.body.shape)
        written["requestBody"] = {
            "required": True,
            "content": {
                kind: {
                    "schema": shape,
                    "example": example_of(shape, shapes),
                }
                for kind in one.body.kinds
            },
        }
    return written


def _response_object(
    known: dict[str, Operation], shapes: dict[str, Any], answer: ResponseSpec
) -> dict[str, Any]:
    """Return the response object of a declared response."""
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
    """Return the schema of a response, or of a list of it."""
    if isinstance(named, str):
        return reference(named)
    return {"type": "array", "items": reference(named[0])}


def _path_parameter(name: str) -> dict[str, Any]:
    """Return the parameter object of a path parameter."""
    meaning, example = _PATH_PARAMETERS[name]
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": text(meaning, example, minLength=1),
        "example": example,
    }


def _query_parameter(one: Parameter) -> dict[str, Any]:
    """Return the parameter object of a query parameter or header."""
    choices = {"enum": list(one.choices)} if one.choices else {}
    return {
        "name": one.name,
        "in": one.place,
        "schema": text(one.meaning, one.example, **choices, **one.more),
        "description": one.meaning,
        "example": one.example,
    }


def shared_responses(paths: dict[str, Any]) -> dict[str, Any]:
    """Return the responses that are in `paths` more than once, by name.

    In `paths` each is replaced by a reference: without references the
    document would be three times as large.
    """
    times = Counter(
        _text(responses[status]) for responses, status in _responses(paths)
    )
    named: dict[str, str] = {}
    found: dict[str, Any] = {}
    for responses, status in _responses(paths):
        response = responses[status]
        text = _text(response)
        if times[text] == 1:
            continue
        if text not in named:
            named[text] = _free_name(status, found)
            found[named[text]] = response
        responses[status] = {"$ref": f"#/components/responses/{named[text]}"}
    return found


def _responses(paths: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the responses of each operation with each of their statuses."""
    for entry in paths.values():
        for operation in entry.values():
            responses = operation["responses"]
            for status in responses:
                yield responses, status


def _text(response: dict[str, Any]) -> str:
    """Return a text that is equal for equal responses."""
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
