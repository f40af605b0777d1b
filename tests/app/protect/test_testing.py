#!/usr/bin/env python3
"""The fake Vestibule, with a test client of each framework."""

import asyncio
from collections.abc import Iterator
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import Depends, FastAPI
from flask import Flask
from starlette.testclient import TestClient

from vestibule.protect import fastapi, flask, testing
from vestibule.protect.backends import SETTINGS
from vestibule.protect.testing import FakeVestibule, fake_vestibule
from vestibule.protect.verify_response import Principal

#: A port on which nothing listens.
URL = "http://127.0.0.1:9"
#: Arguments of adapters that ask over HTTP, or read signed identities.
WAYS: list[dict[str, Any]] = [
    {"url": URL},
    {"url": URL, "audience": "app.example"},
]


@pytest.fixture
def fake() -> Iterator[FakeVestibule]:
    """Use a fake Vestibule."""
    with fake_vestibule() as there:
        yield there


def flask_client(**how: Any) -> Any:
    """Return a client of a Flask application."""
    app = Flask("tested")
    flask.Vestibule(app, **how)
    me = flask.login_required(lambda: flask.current_user.name)
    app.add_url_rule("/me", "me", me)
    admin = flask.role_required("admin")(lambda: "admin")
    app.add_url_rule("/admin", "admin", admin)
    fresh = flask.fresh_login_required(lambda: "fresh")
    app.add_url_rule("/fresh", "fresh", fresh)
    return app.test_client()


def fastapi_client(**how: Any) -> Any:
    """Return a client of a FastAPI application."""
    vestibule = fastapi.Vestibule(**how)
    app = FastAPI()

    @app.get("/me")
    async def me(
        user: Annotated[Principal, Depends(vestibule.current_user)],
    ) -> str:
        """Return the user's name."""
        return user.name

    @app.get("/admin")
    async def admin(
        user: Annotated[Principal, Depends(vestibule.role_required("admin"))],
    ) -> str:
        """Return the user's role."""
        return user.role

    return TestClient(app)


CLIENTS = {"flask": flask_client, "fastapi": fastapi_client}
each_client = pytest.mark.parametrize("kind", CLIENTS)
each_way = pytest.mark.parametrize("how", WAYS)


@each_way
@each_client
def test_user_is_signed_in_without_server(
    kind: str, how: dict[str, Any], fake: FakeVestibule
) -> None:
    """The client is the user until the session ends."""
    client = CLIENTS[kind](**how)
    assert client.get("/me").status_code == 401
    bob = fake.sign_in_as(client, "bob@example.com", first_name="Bob")
    assert "Bob" in client.get("/me").text
    assert client.get("/admin").status_code == 403
    ada = fake.sign_in_as(client, "ada@example.com", role="admin")
    assert client.get("/admin").status_code == 200
    assert ada.id != bob.id
    assert bob.id == fake.sign_in_as(client, "Bob@example.com").id
    fake.end_sessions(ada)
    assert client.get("/me").status_code == 200
    fake.end_sessions(bob)
    assert client.get("/me").status_code == 401


@each_client
def test_existing_application_uses_fake_within_block(kind: str) -> None:
    """Outside of it the real Vestibule is asked again."""
    client = CLIENTS[kind](url=URL)
    with fake_vestibule():
        testing.sign_in_as(client)
        assert client.get("/me").status_code == 200
        testing.sign_out(client)
        assert client.get("/me").status_code == 401
        testing.sign_in_as(client)
    assert client.get("/me").status_code == 503
    with pytest.raises(LookupError, match="within fake_vestibule"):
        testing.sign_in_as(client)


@each_client
def test_application_in_process_needs_no_database(
    kind: str, fake: FakeVestibule
) -> None:
    """It is created within the block."""
    client = CLIENTS[kind](url=SETTINGS)
    fake.sign_in_as(client)
    assert client.get("/me").status_code == 200


@each_client
def test_fake_can_be_down(kind: str, fake: FakeVestibule) -> None:
    """The application answers as if its Vestibule were down."""
    client = CLIENTS[kind](url=URL)
    fake.sign_in_as(client)
    fake.is_down = True
    assert client.get("/me").status_code == 503


def test_recent_password_can_be_chosen(fake: FakeVestibule) -> None:
    """A view that needs it refuses the older one."""
    client = flask_client(url=URL)
    fake.sign_in_as(client)
    assert client.get("/fresh").status_code == 200
    fake.sign_in_as(client, is_recent=False)
    assert client.get("/fresh").status_code == 403


def test_client_with_server_name_is_signed_in(fake: FakeVestibule) -> None:
    """Its cookies are for that host."""
    client = flask_client(url=URL)
    client.application.config["SERVER_NAME"] = "app.example:8000"
    fake.sign_in_as(client)
    assert client.get("/me").status_code == 200


def test_asynchronous_client_is_signed_in(fake: FakeVestibule) -> None:
    """Httpx sends requests to an ASGI application on the event loop."""
    app = fastapi_client(url=URL).app

    async def answered() -> int:
        """Return the status of a request."""
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://app.example"
        ) as client:
            fake.sign_in_as(client)
            return (await client.get("/me")).status_code

    assert asyncio.run(answered()) == 200


def test_wrong_arguments_are_refused(fake: FakeVestibule) -> None:
    """A typing error in a test is found at once."""
    with pytest.raises(ValueError, match="no user can have the role"):
        fake.sign_in_as(flask_client(url=URL), role="amdin")
    with pytest.raises(TypeError, match="no test client"):
        fake.sign_in_as(object())
