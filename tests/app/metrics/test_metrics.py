#!/usr/bin/env python3
"""Metrics: their names, their counts and their route."""

import os
import re
import signal
from pathlib import Path

import pytest
import requests

from tests.app.api.conftest import Build
from tests.app.api.service import PASSWORD, stored_user
from tests.app.metrics.scrape import families, samples
from tests.e2e.server.waiting import wait_until
from tests.serving import (
    LOGIN,
    ROOT,
    Server,
)
from vestibule.audit.log import EventType
from vestibule.mail.outbox import MailSender
from vestibule.metrics import exposition

PAGE = (ROOT / "docs/monitoring.md").read_text()
COUNT = "vestibule_http_requests_total"
SECONDS = "vestibule_http_request_duration_seconds"
EVENTS = "vestibule_security_events_total"


def test_docs_list_each_metric(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Type, labels and help agree, and no other metric is listed."""
    rows = re.findall(
        r"^\| `(vestibule_\w+)` \| (\w+) \| (.+) \| (.+) \|$",
        PAGE,
        re.MULTILINE,
    )
    assert rows == [
        (
            one.name,
            one.kind,
            ", ".join(f"`{label}`" for label in one.labels) or "none",
            one.help_text,
        )
        for one in exposition.ALL_METRICS
    ]
    monkeypatch.setattr(MailSender, "ensure_running", lambda self: None)
    client = build(
        "session_db_auth",
        MAIL_URL="console:",
        MAIL_FROM="vestibule@example.com",
        PUBLIC_URL="https://auth.example.com",
    ).client()
    client.get("/healthz")
    scraped = families(client.get("/metrics").text)
    assert [
        (name, family.type, family.documentation)
        for name, family in scraped.items()
    ] == [
        (one.name, one.kind, one.help_text) for one in exposition.ALL_METRICS
    ]


def test_docs_list_each_event() -> None:
    """They are those of the security log."""
    listed = PAGE.partition("`event` is one of:")[2].partition("\n\n")[0]
    assert re.findall(r"`(\w+)`", listed) == [one.value for one in EventType]


def test_requests_are_counted_by_method_route_and_status(build: Build) -> None:
    """No label has text from a client."""
    service = build("session_db_auth")
    bob = stored_user()
    client, _ = service.log_in(bob)
    client.post(LOGIN, data={"email": bob.email, "password": "wrong"})
    for _ in range(3):
        client.get(f"/api/v1/users/{bob.id}")
    client.get("/api/v1/users/unknown/")
    client.get(f"/secret/{bob.id}?email={bob.email}")
    client.open("/api/v1/status", method="BREW")
    client.get("/api/v1/auth_session/verify")
    service.client().get("/api/v1/auth_session/verify/")
    answer = client.get("/metrics")
    assert answer.mimetype == "text/plain"
    scraped = samples(answer.text)
    route = "/api/v1/users/<user_id>"
    verify = "/api/v1/auth_session/verify"
    for labels, times in (
        (("POST", LOGIN, "200"), 1),
        (("POST", LOGIN, "401"), 1),
        (("GET", route, "200"), 3),
        (("GET", route, "404"), 1),
        (("GET", "none", "404"), 1),
        (("none", "none", "405"), 1),
        (("GET", verify, "200"), 1),
        (("GET", verify, "401"), 1),
    ):
        assert scraped[COUNT, tuple(sorted(labels))] == times, labels
    assert scraped[SECONDS + "_count", (route,)] == 4
    assert scraped[SECONDS + "_bucket", tuple(sorted(("+Inf", route)))] == 4
    assert scraped[SECONDS + "_sum", (route,)] > 0
    assert scraped[EVENTS, ("login",)] == 1
    assert scraped[EVENTS, ("login_failed",)] == 1
    for secret in (bob.id, bob.email, PASSWORD, "BREW", "secret"):
        assert str(secret) not in answer.text


@pytest.mark.parametrize("kind", [None, "session_db_auth", "basic_auth"])
def test_disabled_metrics_route_returns_404(
    build: Build, kind: str | None
) -> None:
    """The setting or the profile disables it."""
    for off in (
        {"METRICS": "off"},
        {"SECURITY_PROFILE": "hardened", "SESSION_NAME": "__Host-id"},
    ):
        answer = build(kind, **off).client().get("/metrics")
        assert (answer.status_code, answer.get_json()) == (
            404,
            {"error": "Not found"},
        )


@pytest.mark.slow
def test_scrape_of_any_worker_reports_all_workers(tmp_path: Path) -> None:
    """A dead worker counts too; the folder is removed with the server."""
    server = Server(
        tmp_path,
        AUTH_TYPE="session_db_auth",
        SESSION_NAME="s",
        WORKERS="2",
    )
    server.env["TMPDIR"] = str(tmp_path)
    server.start()
    try:
        for _ in range(40):
            server.request("GET", "/api/v1/stats")
        wanted = (COUNT, tuple(sorted(("GET", "/api/v1/stats", "401"))))

        def is_told() -> bool:
            """Return True if a scrape has the counts of both workers."""
            scraped = samples(server.request("GET", "/metrics").text)
            workers = scraped["vestibule_workers", ()]
            return (scraped.get(wanted), workers) == (40, 2)

        def is_kept() -> bool:
            """Return True if the remaining worker reports them."""
            try:
                scraped = samples(server.request("GET", "/metrics").text)
            except requests.ConnectionError:
                # This connection still led to the worker that died.
                return False
            return scraped.get(wanted) == 40

        assert wait_until(30, is_told)
        first, second = tmp_path.glob("vestibule-counts-*/*.json")
        os.kill(int(first.name.partition("-")[0]), signal.SIGKILL)
        assert wait_until(30, is_kept)
        assert second.exists()
    finally:
        server.stop()
    assert [*tmp_path.glob("vestibule-counts-*")] == []


@pytest.mark.parametrize(
    ("networks", "peer", "headers", "status"),
    [
        ("any", "203.0.113.9", {}, 200),
        ("loopback", "127.0.0.1", {}, 200),
        ("loopback", "::1", {}, 200),
        ("loopback", "203.0.113.9", {}, 403),
        ("203.0.113.0/24", "203.0.113.9", {}, 200),
        ("203.0.113.0/24", "127.0.0.1", {}, 200),
        ("203.0.113.0/24", "198.51.100.1", {}, 403),
        # A proxy on this machine that is not trusted may serve anyone.
        ("loopback", "127.0.0.1", {"Via": "1.1 proxy"}, 403),
        ("loopback", "127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, 403),
        ("loopback", "127.0.0.1", {"Forwarded": "for=127.0.0.1"}, 403),
    ],
)
def test_metrics_are_for_the_networks_of_the_setting(
    networks: str,
    peer: str,
    headers: dict[str, str],
    status: int,
    build: Build,
) -> None:
    """Other clients get 403, however they reach the service."""
    client = build("session_db_auth", METRICS_NETWORKS=networks).client()
    answer = client.get(
        "/metrics", headers=headers, environ_base={"REMOTE_ADDR": peer}
    )
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("client_address", "status"), [("127.0.0.1", 200), ("203.0.113.9", 403)]
)
def test_metrics_behind_a_trusted_proxy_are_for_the_client_behind_it(
    client_address: str, status: int, build: Build
) -> None:
    """The proxy itself is on this machine, and its client may not be."""
    client = build(
        "session_db_auth",
        METRICS_NETWORKS="loopback",
        TRUSTED_PROXIES="127.0.0.1",
    ).client()
    answer = client.get(
        "/metrics", headers={"X-Forwarded-For": client_address}
    )
    assert answer.status_code == status
