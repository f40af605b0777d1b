#!/usr/bin/env python3
"""The OpenAPI document matches the application."""

from pathlib import Path
from typing import Any

import pytest

from tests.app.api.conftest import Build
from tests.app.openapi.operation_client import BODIES
from tests.app.openapi.response_checker import ResponseChecker
from tests.serving import environment, run_python
from vestibule.api.openapi.document import operations
from vestibule.api.openapi.operation import openapi_path
from vestibule.http import verify


def routes(app: Any) -> set[tuple[str, str]]:
    """Return the methods and paths of an application, with verify."""
    return {
        (method, openapi_path(rule.rule))
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    } | {("GET", verify.PATH)}


@pytest.mark.parametrize(
    "switched",
    [
        {},
        {"IDENTITY_HEADER": "on", "IDENTITY_HOSTS": "localhost,127.0.0.1:*"},
        {"METRICS": "off"},
        {"API_DOCS": "off"},
        {"SECURITY_PROFILE": "hardened", "SESSION_NAME": "__Host-id"},
    ],
    ids=str,
)
def test_each_route_is_described(
    build: Build, switched: dict[str, str]
) -> None:
    """Nothing else is described, whatever settings are on or off."""
    service = build("session_db_auth", **switched)
    documented = {
        (method, path)
        for method, path, _ in ResponseChecker(service).operations.values()
    }
    assert documented ^ routes(service.app) == set()


def test_operations_are_unique() -> None:
    """Neither an id nor a path with its method is repeated."""
    all_of_them = list(operations())
    assert len({one.name for one in all_of_them}) == len(all_of_them)
    places = {(one.method, one.path) for one in all_of_them}
    assert len(places) == len(all_of_them)


def test_each_request_body_has_a_sample(build: Build) -> None:
    """The tests send a well-formed body to each operation that takes one."""
    taking = {one.name for one in operations() if one.body is not None}
    assert taking ^ set(BODIES) == set()


def test_examples_match_their_schemas(build: Build) -> None:
    """It holds for requests, responses, headers and parameters."""
    checker = ResponseChecker(
        build(
            "session_db_auth",
            IDENTITY_HEADER="on",
            IDENTITY_HOSTS="localhost,127.0.0.1:*",
        )
    )
    found = list(examples(checker.whole))
    assert len(found) > 100
    for schema, example in found:
        checker.validate(schema, example)
    for shape in checker.whole["components"]["schemas"].values():
        for field in shape.get("properties", {}).values():
            assert {"examples", "items", "$ref"} & set(field)


def examples(part: Any) -> list[tuple[Any, Any]]:
    """Return the schemas and examples in a part of the document."""
    if isinstance(part, list):
        return [one for each in part for one in examples(each)]
    if not isinstance(part, dict):
        return []
    found = [one for each in part.values() for one in examples(each)]
    if "example" in part and "schema" in part:
        found.append((part["schema"], part["example"]))
    if isinstance(part.get("examples"), list):
        found += [(part, one) for one in part["examples"]]
    return found


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        (None, []),
        ("session_auth", [{"session": []}]),
        ("session_db_auth", [{"session": []}]),
        ("basic_auth", [{"basic": []}]),
        ("auth", [{"session": []}, {"basic": []}]),
    ],
)
def test_guarded_route_names_credential_of_mechanism(
    build: Build, kind: str | None, asked: list[Any]
) -> None:
    """Public routes name none."""
    checker = ResponseChecker(build(kind, SESSION_NAME="_its_name"))
    operations = {
        name: documented
        for name, (_, _, documented) in checker.operations.items()
    }
    assert operations["listUsers"]["security"] == asked
    assert operations["getStatus"]["security"] == []
    schemes = checker.whole["components"]["securitySchemes"]
    assert schemes["session"]["name"] == "_its_name"
    assert schemes["session"]["in"] == "cookie"
    assert schemes["basic"]["scheme"] == "basic"


def test_openapi_route_sends_document(build: Build) -> None:
    """A client that has it already gets 304."""
    service = build("session_db_auth", PASSWORD_MIN_LENGTH="11")
    client, checker = service.client(), ResponseChecker(service)
    answer = client.get("/openapi.json")
    assert answer.get_json() == checker.whole
    assert answer.headers["Cache-Control"] == "no-cache"
    again = client.get(
        "/openapi.json", headers={"If-None-Match": answer.headers["ETag"]}
    )
    assert (again.status_code, again.data) == (304, b"")
    other = client.get("/openapi.json", headers={"If-None-Match": '"x"'})
    assert other.data == answer.data
    shapes = checker.whole["components"]["schemas"]
    password = shapes["NewUser"]["properties"]["password"]
    assert password["minLength"] == 11


@pytest.mark.parametrize("kind", [None, "session_db_auth", "basic_auth"])
@pytest.mark.parametrize("path", ["/openapi.json", "/docs", "/docs/viewer.js"])
def test_disabled_openapi_route_returns_404(
    build: Build, kind: str | None, path: str
) -> None:
    """The setting or the profile disables it."""
    for off in (
        {"API_DOCS": "off"},
        {"SECURITY_PROFILE": "hardened", "SESSION_NAME": "__Host-id"},
    ):
        answer = build(kind, **off).client().get(path)
        assert (answer.status_code, answer.get_json()) == (
            404,
            {"error": "Not found"},
        )


def test_viewer_loads_own_files_only(build: Build) -> None:
    """Its policy allows two files and no inline script."""
    client = build("session_db_auth").client()
    total = 0
    for path in ("/docs", "/docs/viewer.css", "/docs/viewer.js"):
        answer = client.get(path)
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'self'")
        assert "unsafe" not in policy
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "://" not in answer.text
        total += len(answer.data)
    assert "style=" not in client.get("/docs").text
    assert total < 20_000


@pytest.mark.slow
def test_start_imports_neither_openapi_nor_metrics(tmp_path: Path) -> None:
    """Their modules are loaded on the first request."""
    script = """
import sys
from api.v1.app import app
late = ("vestibule.api.openapi.document", "prometheus_client")
print(*(name in sys.modules for name in late))
app.test_client().get("/openapi.json")
app.test_client().get("/metrics")
print(*(name in sys.modules for name in late))
"""
    output = run_python(script, tmp_path, environment(tmp_path))
    assert output.split() == ["False", "False", "True", "True"]
