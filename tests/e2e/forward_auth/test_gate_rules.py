#!/usr/bin/env python3
"""Rules of the gate behind each proxy, with its configuration as shipped."""

from pathlib import Path
from urllib.parse import urljoin

from tests.e2e.forward_auth.conftest import Deploy, trusting
from tests.e2e.forward_auth.deployment import (
    FETCH,
    PAGE,
    PASSWORD,
    headers_of,
    reached,
)
from tests.e2e.server.wire import ask
from tests.serving import COOKIE

STEP_UP = "/account/factors/step-up"
RULES = """\
[[rule]]
path = "/public"
method = "GET"
access = "open"

[[rule]]
path = "/closed"
access = "deny"

[[rule]]
path = "/second"
level = 2

[[rule]]
path = "/fresh"
fresh = 300
"""
#: Makes each session an hour old.
BACKDATE = """
from datetime import timedelta
from sqlalchemy import update
from vestibule.core import clock
from vestibule.db.engine import database
from vestibule.db.tables import USER_SESSIONS
before = clock.now() - timedelta(hours=1)
with database().transaction() as connection:
    connection.execute(update(USER_SESSIONS).values(authenticated_at=before))
"""


def test_rules_hold_behind_the_proxy(deploy: Deploy, tmp_path: Path) -> None:
    """Open, denied, and a recent proof that leads back to the page."""
    file = tmp_path / "rules.toml"
    file.write_text(RULES)
    folder = tmp_path / "vestibule"
    with trusting(folder, GATE_RULES=str(file), WEB_PAGES="on") as server:
        gate = deploy(server)
        shown = gate.get("/public/a", PAGE)
        assert reached(shown)
        assert not headers_of(shown.json()).get("remote-user")
        assert not reached(gate.request("POST", "/public/a"))
        cookie = gate.sign_in()
        named = headers_of(gate.get("/page", PAGE, cookie).json())
        assert named["remote-assurance"] == "1"
        session = f"Cookie: {COOKIE}={cookie}".encode()
        for path in ("/closed/a", "/%63losed", "//closed", "/x/../closed"):
            answer = ask(gate.proxy.port, "GET", path.encode(), [session])
            assert answer.status in (400, 403), path
        forged = [session, b"X-Forwarded-Uri: /page", b"X-Forwarded-Method: A"]
        assert ask(gate.proxy.port, "GET", b"/closed", forged).status == 403
        refused = gate.get("/second", FETCH, cookie)
        assert refused.status_code == 401
        led = gate.get("/second", PAGE, cookie)
        assert STEP_UP in led.headers["Location"]
        server.run(BACKDATE)
        led = gate.get("/fresh/a?b=1", PAGE, cookie)
        assert led.status_code == 302
        address = urljoin("/", led.headers["Location"])
        assert f"{STEP_UP}?fresh=300&return_to=/fresh/a%3Fb%3D1" in address
        assert gate.get(STEP_UP, PAGE, cookie).status_code == 200
        done = gate.request(
            "POST",
            STEP_UP,
            data={
                "fresh": "300",
                "return_to": "/fresh/a?b=1",
                "password": PASSWORD,
            },
            headers={"Cookie": f"{COOKIE}={cookie}"},
        )
        assert (done.status_code, done.headers["Location"]) == (
            303,
            "/fresh/a?b=1",
        )
        renewed = done.cookies[COOKIE]
        assert reached(gate.get("/fresh/a?b=1", PAGE, renewed))
