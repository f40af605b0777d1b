#!/usr/bin/env python3
"""`doctor`: the checks of settings, database and running service."""

import os
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.ports import free_port
from vestibule.api import app as app_module
from vestibule.checks import deployment
from vestibule.checks.deployment import check_deployment
from vestibule.checks.doctor import run_checks
from vestibule.checks.startup import CheckResult, Level
from vestibule.cli import program
from vestibule.core import clock
from vestibule.db import drivers, engine, events, migrate
from vestibule.db.events import Event
from vestibule.db.models.user import User
from vestibule.mechanisms import mechanism_for

GOOD = {
    "SECURITY_PROFILE": "hardened",
    "AUTH_TYPE": "session_db_auth",
    "SESSION_NAME": "__Host-session",
    "TRUSTED_PROXIES": "127.0.0.1",
}


@pytest.fixture
def sound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set up a deployment without faults."""
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    admin = User(email="admin@example.com")
    admin.role = "admin"
    admin.save()
    os.chmod(str(engine.database().url.database), 0o600)


def findings(level: Level) -> str:
    """Return the findings of this level, a line for each."""
    return "\n".join(
        f"{one.message} | {one.hint}"
        for one in run_checks()
        if one.level is level
    )


def test_sound_deployment_has_no_finding(sound: None) -> None:
    """Nothing is wrong, nothing weak."""
    found = list(run_checks())
    assert {one.level for one in found} == {Level.GOOD}
    assert len(found) == 4
    assert CliRunner().invoke(program, ["doctor"]).exit_code == 0


@pytest.mark.parametrize(
    ("name", "value", "level", "said"),
    [
        ("API_PORT", "x", Level.WRONG, "see API_PORT in the settings"),
        (
            "AUTH_TYPE",
            "magic",
            Level.WRONG,
            "the server does not start with this",
        ),
        ("SESSION_NAME", "sid", Level.WRONG, "must begin with __Host-"),
        ("SESSION_DURATION", "soon", Level.WRONG, "must be whole seconds"),
        ("AUTH_TYPE", None, Level.WRONG, "AUTH_TYPE=session_db_auth"),
        ("SESSION_NAME", None, Level.WRONG, "no user can log in"),
        (
            "SECURITY_PROFILE",
            "contract",
            Level.WEAK,
            "SECURITY_PROFILE=hardened",
        ),
        (
            "SECURITY_PROFILE",
            "contract",
            Level.WEAK,
            "COOKIE_SECURE=always behind TLS",
        ),
        ("SECURITY_PROFILE", "contract", Level.WRONG, "sessions never expire"),
    ],
)
def test_weak_settings_are_named(
    sound: None,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str | None,
    level: Level,
    said: str,
) -> None:
    """Each finding names what to set."""
    assert said not in findings(level)
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)
    assert said in findings(level)


def test_cookie_name_without_a_host_prefix_is_weak(
    sound: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is allowed, and reported as weak."""
    monkeypatch.setenv("SESSION_NAME", "sid")
    monkeypatch.setenv("SESSION_NAME_HOST_PREFIX", "off")
    assert "other hosts of the domain can replace the cookie sid" in findings(
        Level.WEAK
    )


def test_basic_auth_has_no_finding_about_cookies(
    sound: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Basic authentication sets no cookie."""
    monkeypatch.setenv("AUTH_TYPE", "basic_auth")
    monkeypatch.delenv("SESSION_NAME")
    assert {one.level for one in run_checks()} == {Level.GOOD}


def test_missing_database_is_not_created(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is not made by looking."""
    file = tmp_path / "none.db"
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{file}")
    assert f"there is no database at sqlite:///{file} yet" in findings(
        Level.WEAK
    )
    assert not file.exists()


def test_invalid_database_url_hides_the_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is a finding, not a crash."""
    monkeypatch.setenv(
        "DATABASE_URL",
        f"postgresql+psycopg://u:secret@127.0.0.1:{free_port()}/x",
    )
    said = findings(Level.WRONG)
    assert "see DATABASE_URL" in said
    assert "secret" not in said


def test_outdated_schema_names_the_upgrade_command(
    sound: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command that mends it is named."""
    monkeypatch.setattr(migrate, "EXPECTED_REVISION", "another")
    assert "python -m vestibule db upgrade" in findings(Level.WRONG)


def test_damaged_file_is_reported(
    sound: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each fault is shown, with the advice to restore a backup."""
    monkeypatch.setattr(
        migrate, "integrity_errors", lambda _: ["page 7 is odd"]
    )
    assert "page 7 is odd | restore a backup" in findings(Level.WRONG)


def test_unsound_sqlite_version_is_weak(
    sound: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It works, slower."""
    engine.close()
    monkeypatch.setattr(drivers, "FIRST_SAFE_WAL_VERSION", (99, 0, 0))
    assert "install pysqlite3" in findings(Level.WEAK)


def test_readable_database_file_names_the_command(sound: None) -> None:
    """The command that mends it has its name."""
    file = str(engine.database().url.database)
    os.chmod(file, 0o644)
    assert f"chmod 600 {file}" in findings(Level.WRONG)


def test_missing_admin_is_reported(sound: None) -> None:
    """The hint says how to make one."""
    for user in User.all():
        user.remove()
    assert "users role EMAIL admin" in findings(Level.WEAK)


def test_recent_worker_exit_is_reported(sound: None) -> None:
    """Only the last one, and none that is a week old."""
    now = clock.now()
    events.insert_events(
        [Event(now - timedelta(days=8), "worker_exited", reason="SIGBUS")]
    )
    assert "unexpectedly" not in findings(Level.WEAK)
    events.insert_events(
        [
            Event(now - timedelta(days=each), "worker_exited", reason=cause)
            for each, cause in ((1, "SIGSEGV"), (2, "SIGKILL"))
        ]
    )
    last = (now - timedelta(days=1)).isoformat(timespec="seconds")
    said = findings(Level.WEAK)
    assert f"(events found: 2), last at {last} by SIGSEGV" in said
    assert "SIGBUS" not in said


def test_postgresql_has_no_finding_about_files(
    on_postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its address is shown without what is of SQLite."""
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    found = list(run_checks())
    assert {one.level for one in found} == {Level.GOOD, Level.WEAK}
    assert any("is current" in one.message for one in found)


class SilentHandler(WSGIRequestHandler):
    """A handler that logs nothing."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Log nothing."""


class Service:
    """The service, behind a proxy that may be faulty."""

    def __init__(self) -> None:
        """Start without a faulty proxy."""
        mechanism = mechanism_for("session_db_auth")
        assert mechanism is not None
        self.auth = mechanism()
        self.app: Any = app_module.create_app(self.auth)
        #: Headers that the proxy adds to, or drops from, all responses.
        self.added: list[tuple[str, str]] = []
        self.dropped: set[str] = set()
        #: The response that it sends to all requests itself.
        self.instead: str | None = None
        #: Headers of requests that it drops.
        self.hidden: set[str] = set()
        self.asked: list[str] = []

    def __call__(self, environ: Any, start_response: Any) -> Any:
        """Respond to one request."""
        self.asked.append(
            f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        )
        for name in self.hidden:
            environ.pop(name, None)
        if self.instead is not None:
            start_response(self.instead, [("Location", "/elsewhere")])
            return [b""]

        def starting(status: str, headers: Any, *rest: Any) -> Any:
            """Begin the response with the headers that the proxy passes on."""
            kept = [one for one in headers if one[0] not in self.dropped]
            return start_response(status, kept + self.added, *rest)

        return self.app(environ, starting)


@pytest.fixture
def service(
    sound: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Service, str]]:
    """Run a service on loopback; return it and its address."""
    running = Service()
    monkeypatch.setitem(vars(app_module), "auth", running.auth)
    server = make_server(
        "127.0.0.1", 0, running, request_handler=SilentHandler
    )
    thread = threading.Thread(
        target=server.serve_forever, args=(0.01,), daemon=True
    )
    thread.start()
    yield running, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(10)
    server.server_close()


def of_level(found: list[CheckResult], level: Level) -> list[str]:
    """Return the findings of this level."""
    return [one.message for one in found if one.level is level]


def test_good_service_is_reported_weak_without_tls(
    service: tuple[Service, str],
) -> None:
    """Three harmless requests are sent."""
    running, url = service
    found = list(check_deployment(url + "/"))
    assert of_level(found, Level.WRONG) == []
    assert of_level(found, Level.WEAK) == ["the connection is not encrypted"]
    assert len(of_level(found, Level.GOOD)) == 3
    assert running.asked == [
        "GET /api/v1/status",
        "GET /api/v1/users",
        "POST /api/v1/auth_session/login",
    ]
    assert CliRunner().invoke(program, ["doctor", "--url", url]).exit_code == 0


def test_proxy_that_drops_headers_is_reported(
    service: tuple[Service, str],
) -> None:
    """Of responses and of requests; the hint names them."""
    running, url = service
    running.dropped = {"Cache-Control", "X-Content-Type-Options"}
    running.hidden = {"HTTP_ORIGIN"}
    running.added = [("Access-Control-Allow-Credentials", "true")]
    wrong = of_level(list(check_deployment(url)), Level.WRONG)
    assert wrong == [
        "a login that another site sends is answered 400",
        "X-Content-Type-Options is None",
        "Cache-Control is None",
        "other sites can read responses with the cookies of a user",
    ]
    done = CliRunner().invoke(program, ["doctor", "--url", url])
    assert done.exit_code == 1
    assert "hint: let the proxy pass Origin" in done.output


def test_user_list_without_authentication_is_wrong(
    service: tuple[Service, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settings make no difference."""
    monkeypatch.setitem(vars(app_module), "auth", None)
    monkeypatch.setenv("AUTHZ_POLICY", "open")
    wrong = of_level(list(check_deployment(service[1])), Level.WRONG)
    assert wrong == ["GET /api/v1/users answers 200 to anonymous clients"]


@pytest.mark.parametrize("status", ["302 Found", "404 Not Found"])
def test_redirect_of_a_proxy_is_not_followed(
    service: tuple[Service, str], status: str
) -> None:
    """It is not followed anywhere."""
    running, url = service
    running.instead = status
    (only,) = check_deployment(url)
    assert only.message == f"GET /api/v1/status answers {status[:3]}"
    assert "/elsewhere" not in str(running.asked)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://x", "is not a web address"),
        ("file:///etc/passwd", "is not a web address"),
        ("x", "is not a web address"),
        ("http://", "does not answer"),
        ("http://[", "does not answer"),
        ("http://127.0.0.1:1/a b", "does not answer"),
    ],
)
def test_invalid_address_is_one_finding(url: str, said: str) -> None:
    """One finding, no traceback."""
    (only,) = check_deployment(url)
    assert only.level is Level.WRONG
    assert said in only.message


def test_unreachable_service_is_one_finding() -> None:
    """One finding with the address."""
    url = f"http://127.0.0.1:{free_port()}"
    (only,) = check_deployment(url)
    assert only.message.startswith(f"{url} does not answer")


def test_untrusted_tls_proxy_is_reported(
    service: tuple[Service, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy with TLS that is not trusted hides it from the service."""
    running, url = service
    send = deployment._send
    monkeypatch.setattr(
        deployment,
        "_send",
        lambda asked, *rest: send(asked.replace("https", "http"), *rest),
    )
    secure = url.replace("http", "https")
    assert of_level(list(check_deployment(secure)), Level.WRONG) == [
        "the service does not know that clients connect over TLS"
    ]
    running.added = [("Strict-Transport-Security", "max-age=1")]
    found = list(check_deployment(secure))
    assert {one.level for one in found} == {Level.GOOD}
