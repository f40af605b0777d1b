#!/usr/bin/env python3
"""The shipped configurations of nginx, Caddy and Traefik agree.

Traefik is not installed: its file is only compared with the others, which
other tests run.
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
from tests.serving import VERIFY

IDENTITY = {
    "Remote-User",
    "Remote-Email",
    "Remote-Email-Verified",
    "Remote-Groups",
    "Remote-Assurance",
    "X-Vestibule-Identity",
}
#: Paths that the proxies pass to Vestibule without authentication.
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
    """Return the HTTP section of Traefik's file."""
    try:
        yaml = importlib.import_module("yaml")
    except ImportError:
        missing("PyYAML")
    read: dict[str, Any] = yaml.safe_load(shipped("traefik.yml"))
    assert list(read) == ["http"]
    return dict(read["http"])


def nginx_opens(text: str) -> Callable[[str], bool]:
    """Return a function that is true for the paths nginx leaves open."""
    patterns = re.findall(r"location ~ (\S+) \{\s*auth_request off", text)
    return lambda path: any(re.search(one, path) for one in patterns)


def caddy_opens(text: str) -> Callable[[str], bool]:
    """Return a function that is true for the paths Caddy leaves open."""
    (patterns,) = re.findall(r"@vestibule path (.*)", text)
    return lambda path: any(
        fnmatchcase(path, pattern) for pattern in patterns.split()
    )


def rule_matches(rule: str) -> Callable[[str], bool]:
    """Return a function that is true for the paths of a Traefik rule."""
    exact = re.findall(r"\bPath\(`(.*?)`\)", rule)
    prefixes = re.findall(r"\bPathPrefix\(`(.*?)`\)", rule)
    return lambda path: path in exact or path.startswith(tuple(prefixes))


@pytest.mark.parametrize(
    "passes",
    [
        nginx_opens(shipped("nginx.conf")),
        nginx_opens(snippet("nginx")),
        caddy_opens(shipped("Caddyfile")),
        caddy_opens(snippet("caddyfile")),
    ],
    ids=["nginx.conf", "nginx", "Caddyfile", "caddy"],
)
def test_configurations_leave_same_paths_open(
    passes: Callable[[str], bool],
) -> None:
    """Each configuration leaves exactly these paths open."""
    assert {path for path in OPEN | GUARDED if passes(path)} == OPEN


def test_traefik_leaves_same_paths_open(traefik: dict[str, Any]) -> None:
    """Traefik's two routers split the paths like the other proxies."""
    routers = traefik["routers"]
    passes = rule_matches(routers["vestibule"]["rule"])
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


def test_configurations_forward_same_headers(traefik: dict[str, Any]) -> None:
    """Each sends the same identity headers to the application."""
    by_nginx = re.findall(
        r"proxy_set_header (\S+) +\$vestibule_(?!connection|upgrade|cookie)",
        shipped("nginx.conf"),
    )
    by_caddy = re.findall(r"copy_headers (.*)", shipped("Caddyfile"))
    by_traefik = traefik["middlewares"]["gate"]["forwardAuth"]
    assert set(by_nginx) == set(by_caddy[0].split()) == IDENTITY
    assert set(by_traefik["authResponseHeaders"]) == IDENTITY


def test_traefik_drops_forged_headers_then_authenticates(
    traefik: dict[str, Any],
) -> None:
    """Traefik removes the client's identity headers before verify."""
    routers, middlewares = traefik["routers"], traefik["middlewares"]
    assert routers["application"]["middlewares"] == ["forged", "gate"]
    assert routers["vestibule"]["middlewares"] == ["forged"]
    assert set(middlewares) == {"forged", "gate"}
    off = middlewares["forged"]["headers"]["customRequestHeaders"]
    assert set(off) == IDENTITY | {
        "Forwarded",
        "X-Original-URL",
        "X-Original-Method",
        "X-Forwarded-Prefix",
    }
    assert set(off.values()) == {""}
    asked = middlewares["gate"]["forwardAuth"]
    assert asked["address"] == f"http://{VESTIBULE}{VERIFY}"
    assert asked["trustForwardHeader"] is False


def test_traefik_has_same_addresses(traefik: dict[str, Any]) -> None:
    """Traefik's services have the addresses of the other configurations."""
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


def test_caddyfile_is_valid_and_formatted(tmp_path: Path) -> None:
    """The shipped Caddyfile passes `caddy validate` and `caddy fmt`."""
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
