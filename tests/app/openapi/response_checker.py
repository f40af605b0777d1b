#!/usr/bin/env python3
"""A checker of answers: what was seen, and whether it is as described."""

import json
from typing import Any

import jsonschema_rs
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.app.api.service import Service
from vestibule.api.openapi.document import document

#: Headers that the document does not describe by name.
_UNSAID = {"Content-Type"}


class ResponseChecker:
    """Sends requests and compares responses with the OpenAPI document."""

    def __init__(self, service: Service) -> None:
        """Read the OpenAPI document of `service`."""
        self.whole: dict[str, Any] = document(service.mechanism)
        self.operations = {
            operation["operationId"]: (method.upper(), path, operation)
            for path, entry in self.whole["paths"].items()
            for method, operation in entry.items()
        }
        #: Operations with the statuses that they returned.
        self.seen: set[tuple[str, int]] = set()
        #: Names of the headers that responses had.
        self.headers: set[str] = set()
        self._validators: dict[str, Any] = {}

    def described(self) -> set[tuple[str, int]]:
        """Return the operations with all the statuses they can answer."""
        return {
            (name, int(status))
            for name, (_, _, operation) in self.operations.items()
            for status in operation["responses"]
        }

    def send(
        self,
        client: FlaskClient,
        name: str,
        places: dict[str, str],
        **request: Any,
    ) -> TestResponse:
        """Send a request for an operation and check the response.

        `places` has the path parameters.
        """
        method, path, _ = self.operations[name]
        answer = client.open(path.format_map(places), method=method, **request)
        self.look_at(name, answer)
        return answer

    def look_at(self, name: str, answer: TestResponse) -> None:
        """Fail if the document does not describe the response."""
        status, where = answer.status_code, (name, answer.status_code)
        responses = self.operations[name][2]["responses"]
        assert str(status) in responses, where
        told = self.resolved(responses[str(status)])
        self.seen.add(where)
        self._look_at_headers(told["headers"], answer)
        if "content" not in told:
            assert answer.data == b"", where
            return
        assert answer.mimetype in told["content"], where
        content = told["content"][answer.mimetype]
        shown = answer.get_json() if answer.is_json else answer.text
        self.validate(content["schema"], shown)

    def validate(self, schema: dict[str, Any], value: Any) -> None:
        """Raise an error if `value` does not match `schema`."""
        # Compiling a schema takes a hundred times as long as using it.
        key = json.dumps(schema, sort_keys=True)
        if key not in self._validators:
            components = {"components": self.whole["components"]}
            self._validators[key] = jsonschema_rs.validator_for(
                {**schema, **(components if "$ref" in key else {})}
            )
        self._validators[key].validate(value)

    def resolved(self, value: dict[str, Any]) -> dict[str, Any]:
        """Return `value`, or what it refers to."""
        while "$ref" in value:
            found: Any = self.whole
            for name in value["$ref"].split("/")[1:]:
                found = found[name]
            value = found
        return value

    def _look_at_headers(
        self, told: dict[str, Any], answer: TestResponse
    ) -> None:
        """Fail if headers are missing, or not described."""
        names = set(answer.headers.keys())
        self.headers |= names
        assert names - _UNSAID <= set(told), answer.status
        for name, header in told.items():
            header = self.resolved(header)
            if header["required"]:
                assert name in names, (answer.status, name)
            for value in answer.headers.getlist(name):
                self.validate(header["schema"], value)
