#!/usr/bin/env python3
"""The three configurations say the same, as far as it can be read.

Nobody has Traefik here: its file is only read, and compared with those of
nginx and Caddy, which other tests run.
"""

import importlib
import re
import subprocess
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from tests.backends import missing
from tests.e2e.forward_auth.proxies import (
    APPLICATION,
    PROXIES,
    VESTIBULE,
    Caddy,
    shipped,
)
from tests.e2e.forward_auth.test_snippets import snippet

VERIFY = "/api/v1/auth_session/verify"
IDENTITY = {
    "Remote-User",
    "Remote-Email",
    "Remote-Groups",
    "X-Vestibule-Identity",
}
#: Paths that Vestibule answers itself, and some that look like them.
OPEN = {
    "/sign-in",
    "/sign-out",
    "/api/v1/auth_session/login",
    "/api/v1/auth_session/logout",
    "/api/v1/auth_session/",
    "/signed-out",
    "/register",
    "/reset",
    "/setup",
    "/account",
    "/account/sessions",
    "/vestibule/assets/pages.css",
}
GUARDED = {
    "/",
    "/page",
    "/sign-in/",
    "/sign-in/x",
    "/sign-inside",
    "/sign",
    "/x/sign-in",
    "/accounts",
    "/vestibule",
    "/assets/x",
    "/setup/x",
    "/x/account/sessions",
    "/api/v1/auth_session",
    "/api/v1/users",
    "/x/api/v1/auth_session/login",
    "/api/v1/auth_sessions/",
}


@pytest.fixture
def traefik() -> dict[str, Any]:
    """Return what Traefik's file says of HTTP."""
    try:
        yaml = importlib.import_module("yaml")
    except ImportError:
        missing("PyYAML")
    read: dict[str, Any] = yaml.safe_load(shipped("traefik.yml"))
    assert list(read) == ["http"]
    return dict(read["http"])


def of_nginx(text: str) -> Callable[[str], bool]:
    """Return what tells whether nginx lets a path pass unasked."""
    (pattern,) = re.findall(r"location ~ (\S+) \{\s*auth_request off", text)
    return lambda path: re.search(pattern, path) is not None


def of_caddy(text: str) -> Callable[[str], bool]:
    """Return what tells whether Caddy lets a path pass unasked."""
    (patterns,) = re.findall(r"@vestibule path (.*)", text)
    return lambda path: any(
        fnmatchcase(path, pattern) for pattern in patterns.split()
    )


def of_rule(rule: str) -> Callable[[str], bool]:
    """Return what tells whether a rule of Traefik takes a path."""
    exact = re.findall(r"\bPath\(`(.*?)`\)", rule)
    prefixes = re.findall(r"\bPathPrefix\(`(.*?)`\)", rule)
    return lambda path: path in exact or path.startswith(tuple(prefixes))


@pytest.mark.parametrize(
    "passes",
    [
        of_nginx(shipped("nginx.conf")),
        of_nginx(snippet("nginx")),
        of_caddy(shipped("Caddyfile")),
        of_caddy(snippet("caddyfile")),
    ],
    ids=["nginx.conf", "nginx", "Caddyfile", "caddy"],
)
def test_the_same_paths_are_open(passes: Callable[[str], bool]) -> None:
    """Each lets the same paths pass unasked, and no others."""
    assert {path for path in OPEN | GUARDED if passes(path)} == OPEN


def test_traefik_opens_the_same_paths(traefik: dict[str, Any]) -> None:
    """Its two routers part the paths as the others do."""
    routers = traefik["routers"]
    passes = of_rule(routers["vestibule"]["rule"])
    assert {path for path in OPEN | GUARDED if passes(path)} == OPEN
    hosts = {
        tuple(re.findall(r"Host\(`(.*?)`\)", router["rule"]))
        for router in routers.values()
    }
    assert hosts == {(Caddy.listens.split()[0],)}
    assert not re.search("Path", routers["application"]["rule"])
    assert (
        routers["vestibule"]["priority"] > routers["application"]["priority"]
    )


def test_the_same_headers_are_passed_on(traefik: dict[str, Any]) -> None:
    """Each tells the application the same things, by the same names."""
    by_nginx = re.findall(
        r"proxy_set_header (\S+) +\$vestibule_(?!connection|upgrade)",
        shipped("nginx.conf"),
    )
    by_caddy = re.findall(r"copy_headers (.*)", shipped("Caddyfile"))
    by_traefik = traefik["middlewares"]["gate"]["forwardAuth"]
    assert set(by_nginx) == set(by_caddy[0].split()) == IDENTITY
    assert set(by_traefik["authResponseHeaders"]) == IDENTITY


def test_traefik_guards_the_application(traefik: dict[str, Any]) -> None:
    """First what is forged is taken off, then Vestibule is asked."""
    routers, middlewares = traefik["routers"], traefik["middlewares"]
    assert routers["application"]["middlewares"] == ["forged", "gate"]
    assert routers["vestibule"]["middlewares"] == ["forged"]
    assert set(middlewares) == {"forged", "gate"}
    off = middlewares["forged"]["headers"]["customRequestHeaders"]
    assert set(off) == IDENTITY | {"Forwarded"}
    assert set(off.values()) == {""}
    asked = middlewares["gate"]["forwardAuth"]
    assert asked["address"] == f"http://{VESTIBULE}{VERIFY}"
    assert asked["trustForwardHeader"] is False


def test_traefik_has_the_same_addresses(traefik: dict[str, Any]) -> None:
    """Its services are where the others expect them."""
    assert {
        name: [server["url"] for server in service["loadBalancer"]["servers"]]
        for name, service in traefik["services"].items()
    } == {
        "vestibule": [f"http://{VESTIBULE}"],
        "application": [f"http://{APPLICATION}"],
    }
    assert {
        router["service"] for router in traefik["routers"].values()
    } == set(traefik["services"])
    for proxy in PROXIES.values():
        text = shipped(proxy.file)
        assert VERIFY in text
        assert VESTIBULE in text and APPLICATION in text


def test_caddy_finds_no_fault_in_its_file(tmp_path: Path) -> None:
    """The file is valid as it ships, and in the form that Caddy writes."""
    proxy = Caddy(tmp_path)
    for check in (["validate", "--config"], ["fmt", "--diff"]):
        path = tmp_path / "Caddyfile"
        path.write_text(shipped("Caddyfile"))
        done = subprocess.run(
            [proxy.found, *check, str(path)],
            env=proxy.environment(),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert "Caddyfile input is not formatted" not in done.stderr
        assert not re.search(r"^[+-]", done.stdout, re.MULTILINE)
