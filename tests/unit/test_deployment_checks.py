#!/usr/bin/env python3
"""`doctor --url`: the checks of a running service from outside."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.ports import free_port
from tests.unit.test_doctor import sound
from vestibule.api import app as app_module
from vestibule.checks import deployment
from vestibule.checks.deployment import check_deployment
from vestibule.checks.settings import CheckResult, Level
from vestibule.cli import program
from vestibule.mechanisms import mechanism_for

pytestmark = pytest.mark.usefixtures("on_sqlite")

__all__ = ["sound"]


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
        #: Headers of requests that it replaces.
        self.replaced: dict[str, str] = {}
        self.asked: list[str] = []

    def __call__(self, environ: Any, start_response: Any) -> Any:
        """Respond to one request."""
        self.asked.append(
            f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        )
        for name in self.hidden:
            environ.pop(name, None)
        environ.update(self.replaced)
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
    """Four harmless requests are sent."""
    running, url = service
    found = list(check_deployment(url + "/"))
    assert of_level(found, Level.WRONG) == []
    assert of_level(found, Level.WEAK) == ["the connection is not encrypted"]
    assert len(of_level(found, Level.GOOD)) == 4
    assert running.asked == [
        "GET /api/v1/status",
        "GET /api/v1/users",
        "POST /api/v1/auth_session/login",
        "POST /api/v1/auth_session/login",
    ]
    assert CliRunner().invoke(program, ["doctor", "--url", url]).exit_code == 0


@pytest.mark.parametrize(
    ("replaced", "trusted", "is_wrong"),
    [
        ({"HTTP_HOST": "192.0.2.10"}, "", True),
        ({"HTTP_HOST": "127.0.0.1"}, "", True),
        ({"HTTP_X_FORWARDED_HOST": "192.0.2.10"}, "127.0.0.1", True),
        ({"HTTP_X_FORWARDED_HOST": "192.0.2.10"}, "", False),
    ],
)
def test_proxy_that_rewrites_host_is_reported(
    service: tuple[Service, str],
    monkeypatch: pytest.MonkeyPatch,
    replaced: dict[str, str],
    trusted: str,
    is_wrong: bool,
) -> None:
    """No browser could sign in by a page with the service's own `Origin`."""
    monkeypatch.setenv("TRUSTED_PROXIES", trusted)
    running, url = service
    running.replaced = replaced
    wrong = [one for one in check_deployment(url) if one.level is Level.WRONG]
    assert [one.id for one in wrong] == ["deployment.origin"] * is_wrong
    if is_wrong:
        assert url in wrong[0].message
        assert "X-Forwarded-Host" in wrong[0].hint


def test_forwarded_host_mends_a_rewritten_one(
    service: tuple[Service, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trusted proxy names the host that the browser asked for."""
    monkeypatch.setenv("TRUSTED_PROXIES", "127.0.0.1")
    running, url = service
    running.replaced = {
        "HTTP_HOST": "backend:5000",
        "HTTP_X_FORWARDED_HOST": url.partition("://")[2],
    }
    assert of_level(list(check_deployment(url)), Level.WRONG) == []


@pytest.mark.slow
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
