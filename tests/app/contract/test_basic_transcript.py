#!/usr/bin/env python3
"""The transcript of `basic_auth`: a script, then curl."""

from tests.app.contract.transcript import ask, error, masked, user_text
from tests.conftest import Serve

MAKE_BOB = """
import base64
from api.v1.auth.basic_auth import BasicAuth
from models.user import User

user_email = "bob@hbtn.io"
user_clear_pwd = "H0lbertonSchool98!"
user = User()
user.email = user_email
user.password = user_clear_pwd
print("New user: {} / {}".format(user.id, user.display_name()))
user.save()

basic_clear = "{}:{}".format(user_email, user_clear_pwd)
print("Basic Base64: {}".format(
    base64.b64encode(basic_clear.encode('utf-8')).decode("utf-8")
))
"""
BASIC = "Authorization: Basic Ym9iQGhidG4uaW86SDBsYmVydG9uU2Nob29sOTgh"
BOB = user_text("bob@hbtn.io")


#: The list of the only user, Bob.
LISTED = """[
  {
    "created_at": "<time>",
    "email": "bob@hbtn.io",
    "first_name": null,
    "id": "<id>",
    "last_name": null,
    "updated_at": "<time>"
  }
]
"""


def test_basic_auth_transcript(serve: Serve) -> None:
    """A user made by a script beside the server authenticates by Basic."""
    basic = serve(AUTH_TYPE="basic_auth", THROTTLE="on")
    said = basic.run(MAKE_BOB)
    assert masked(said) == (
        "New user: <id> / bob@hbtn.io\n"
        "Basic Base64: Ym9iQGhidG4uaW86SDBsYmVydG9uU2Nob29sOTgh\n"
    )
    user_id = said.split()[2]
    assert ask(basic, "/api/v1/status") == (200, '{\n  "status": "OK"\n}\n')
    assert ask(basic, "/api/v1/users") == (401, error("Unauthorized"))
    for path, expected in (("users", LISTED), ("users/me", BOB)):
        status, body = ask(basic, f"/api/v1/{path}", "-H", BASIC)
        assert (status, masked(body)) == (200, expected)
        assert f'"id": "{user_id}"' in body
    # One wrong password per path: an account has that many free failures.
    for path, password in (
        ("/api/v1/users", "H0lbertonSchool98"),
        ("/api/v1/users/me", "wrong"),
        ("/api/v1/unknown", "wrong"),
    ):
        for wrong in (
            "Test",
            "Basic test",
            BASIC.removeprefix("Authorization: Basic "),
            BASIC.removeprefix("Authorization: ").lower(),
        ):
            assert ask(basic, path, "-H", f"Authorization: {wrong}") == (
                403,
                error("Forbidden"),
            )
        assert ask(basic, path, "-u", f"bob@hbtn.io:{password}") == (
            403,
            error("Forbidden"),
        )
    assert ask(basic, "/api/v1/unknown", "-H", BASIC) == (
        404,
        error("Not found"),
    )
