#!/usr/bin/env python3
"""The verify endpoint of several processes on one database."""

import jwt

from tests.conftest import Serve
from tests.e2e.forward_auth.deployment import EMAIL, PASSWORD
from tests.e2e.server.conftest import ADD_USER
from tests.serving import DB_SESSIONS, LOGOUT, ME, VERIFY


def test_ended_session_is_refused_by_other_server(serve: Serve) -> None:
    """Another process refuses it at once and gives the reason."""
    first, second = serve(**DB_SESSIONS), serve(**DB_SESSIONS)
    first.run(ADD_USER, EMAIL, PASSWORD)
    for _ in range(5):
        session = first.login(EMAIL, PASSWORD)
        for server in (first, second, first, second):
            assert server.request("GET", VERIFY, session).status_code == 200
        assert first.request("DELETE", LOGOUT, session).status_code == 200
        refused = second.request("GET", VERIFY, session)
        asked = second.request("GET", ME, session)
        assert (refused.status_code, asked.status_code) == (401, 403)
        for answer in (refused, asked):
            assert answer.headers["Session-Ended"] == "reason=logged_out"


def test_workers_share_signing_keys(serve: Serve) -> None:
    """The keys of one worker verify the tokens of the other."""
    server = serve(
        **DB_SESSIONS,
        WORKERS="2",
        IDENTITY_HEADER="on",
        IDENTITY_HOSTS="127.0.0.1:*",
    )
    server.run(ADD_USER, EMAIL, PASSWORD)
    session = server.login(EMAIL, PASSWORD)
    for _ in range(20):
        published = server.request("GET", "/.well-known/jwks.json")
        assert published.headers["Cache-Control"] == "public, max-age=300"
        (key,) = jwt.PyJWKSet.from_dict(published.json()).keys
        answer = server.request("GET", VERIFY, session)
        token = answer.headers["X-Vestibule-Identity"]
        assert jwt.get_unverified_header(token)["kid"] == key.key_id
        said = jwt.decode(
            token, key, ["EdDSA"], audience=server.url.partition("//")[2]
        )
        assert said["email"] == EMAIL
        assert said["exp"] - said["iat"] == 60
