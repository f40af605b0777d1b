#!/usr/bin/env python3
"""The peers: what each is, how it is served and how a user logs in.

A peer is set up as its own documents advise for production and, where they
leave a choice, by what is fastest here; docs/peers.md gives the reasons.
"""

import json
from dataclasses import dataclass
from urllib.parse import urlencode

#: Any text of this form works: cookie and header must be equal.
_CSRF = "abcdefghijklmnopqrstuvwxyz012345"
_FORM = ("Content-Type", "application/x-www-form-urlencoded")
_JSON = ("Content-Type", "application/json")

FLASK_LOGIN = "Flask-Login + Flask-Session, Redis"
FLASK_SECURITY = "Flask-Security-Too, SQLite"
DJANGO_DB = "Django sessions, db"
DJANGO_CACHED = "Django sessions, cached_db"
FASTAPI_SQLITE = "FastAPI-Users, SQLite"
FASTAPI_POSTGRESQL = "FastAPI-Users, PostgreSQL"
BETTER_AUTH = "Better Auth, SQLite"
BETTER_AUTH_CACHED = "Better Auth, cookie cache"


@dataclass(frozen=True)
class Login:
    """The login request: its path, field names and encoding."""

    path: str = "/login"
    field: str = "email"
    as_json: bool = False
    headers: tuple[tuple[str, str], ...] = ()

    def body(self, email: str, password: str) -> str:
        """Return the encoded body."""
        fields = {self.field: email, "password": password}
        return json.dumps(fields) if self.as_json else urlencode(fields)

    def all_headers(self) -> dict[str, str]:
        """Return the headers of the request."""
        return dict((_JSON if self.as_json else _FORM, *self.headers))


@dataclass(frozen=True)
class Peer:
    """A library that is measured, in one set-up."""

    name: str
    #: The module of the application, and what serves it.
    app: str
    server: str
    login: Login
    #: Packages whose versions the table names.
    packages: tuple[str, ...]
    #: Programs of the stores that must run for it.
    stores: frozenset[str] = frozenset()
    variant: str = ""
    #: False if another set-up of the same library has the same logins.
    logs_in: bool = True

    @property
    def is_python(self) -> bool:
        """Return True if the peer runs on Python."""
        return self.server != "node"

    def command(self, port: int) -> list[str]:
        """Return the arguments of its server, one worker on `port`."""
        if self.server == "gunicorn":
            return [
                "gunicorn",
                "--workers",
                "1",
                "--worker-class",
                "gthread",
                "--threads",
                "4",
                "--bind",
                f"127.0.0.1:{port}",
                "--log-level",
                "warning",
                f"{self.app}:app",
            ]
        if self.server == "uvicorn":
            return uvicorn(self.app, port)
        return ["node", f"{self.app}.mjs"]


def uvicorn(app: str, port: int) -> list[str]:
    """Return the arguments of uvicorn for an application on `port`."""
    return [
        "uvicorn",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--log-level",
        "warning",
        "--no-access-log",
        f"{app}:app",
    ]


_DJANGO = Login(
    headers=(("Cookie", f"csrftoken={_CSRF}"), ("X-CSRFToken", _CSRF))
)
_BETTER = Login("/api/auth/sign-in/email", as_json=True)
_FASTAPI = Login(field="username")

PEERS = (
    Peer(
        FLASK_LOGIN,
        "flask_login_app",
        "gunicorn",
        Login(),
        ("flask-login", "flask-session", "flask", "gunicorn", "redis"),
        frozenset({"redis-server"}),
    ),
    Peer(
        FLASK_SECURITY,
        "flask_security_app",
        "gunicorn",
        Login(as_json=True),
        ("flask-security-too", "flask-sqlalchemy", "flask", "gunicorn"),
    ),
    Peer(
        DJANGO_DB,
        "django_app",
        "gunicorn",
        _DJANGO,
        ("django", "gunicorn"),
        variant="db",
    ),
    Peer(
        DJANGO_CACHED,
        "django_app",
        "gunicorn",
        _DJANGO,
        ("django", "gunicorn", "redis"),
        frozenset({"redis-server"}),
        variant="cached_db",
        logs_in=False,
    ),
    Peer(
        FASTAPI_SQLITE,
        "fastapi_users_app",
        "uvicorn",
        _FASTAPI,
        ("fastapi-users", "fastapi", "uvicorn", "aiosqlite"),
    ),
    Peer(
        FASTAPI_POSTGRESQL,
        "fastapi_users_app",
        "uvicorn",
        _FASTAPI,
        ("fastapi-users", "fastapi", "uvicorn", "asyncpg"),
        frozenset({"postgres"}),
        logs_in=False,
    ),
    Peer(
        BETTER_AUTH,
        "better_auth_app",
        "node",
        _BETTER,
        ("better-auth", "better-sqlite3"),
    ),
    Peer(
        BETTER_AUTH_CACHED,
        "better_auth_app",
        "node",
        _BETTER,
        ("better-auth", "better-sqlite3"),
        variant="cached",
        logs_in=False,
    ),
)
