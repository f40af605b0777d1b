#!/usr/bin/env python3
"""For the tests of applications: sign users in without a server.

`fake_vestibule()` takes the place of every Vestibule that the adapters ask
in this process, and `sign_in_as` signs a user in at a test client of
Flask, Django, Starlette, FastAPI or httpx. Nothing outside of tests
imports this module. pytest has both as fixtures with
`pytest_plugins = ["vestibule.protect.testing"]`.
"""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.cookies import SimpleCookie
from importlib.util import find_spec
from typing import Any
from unittest.mock import patch
from uuid import NAMESPACE_URL, uuid5

from vestibule.core import clock
from vestibule.core.errors import VestibuleUnavailable
from vestibule.core.request_headers import cookies_of
from vestibule.protect import async_backends, backends
from vestibule.protect.assurance import requirement
from vestibule.protect.denials import validate_roles
from vestibule.protect.request_headers import COOKIE
from vestibule.protect.verify_response import Principal

#: The cookie of the sessions of a fake Vestibule.
COOKIE_NAME = "fake_vestibule_session"
#: The `REAUTH_WINDOW` of a fake Vestibule: the default one.
REAUTH_WINDOW_SECONDS = 300
#: The classes of the adapters that determine users, in threads and on an
#: event loop.
_BACKENDS = (
    backends.RemoteVerifier,
    backends.TokenVerifier,
)
_ASYNC_BACKENDS = (
    async_backends.AsyncRemoteVerifier,
    async_backends.AsyncTokenVerifier,
    async_backends.AsyncInProcess,
)

_active: list["FakeVestibule"] = []


class FakeVestibule:
    """Sessions and users in memory, as the adapters see them."""

    header = COOKIE

    def __init__(self) -> None:
        """Begin without sessions."""
        self._sessions: dict[str, Principal] = {}
        #: Set it to True for a Vestibule that does not answer.
        self.is_down = False

    def sign_in_as(
        self,
        client: Any,
        email: str = "user@example.com",
        *,
        role: str = "member",
        first_name: str | None = None,
        last_name: str | None = None,
        user_id: str | None = None,
        is_recent: bool = True,
        email_verified: bool = False,
        level: int = 1,
        phishing_resistant: bool = False,
        auth_time: int | None = None,
    ) -> Principal:
        """Sign a user in at a test client; return the user.

        One email is one user, with the same id each time, unless `user_id`
        is given. `is_recent` says whether the user gave a proof just now,
        `email_verified` whether the email was confirmed by a mail. `level`
        is 2 for a session with two factors, `phishing_resistant` says
        whether one is a passkey, and `auth_time`, in seconds since 1970,
        counts before `is_recent`. Raise `ValueError` for a role that no
        user can have and for a level that no session has, and `TypeError`
        for a client of an unknown kind.
        """
        (role,) = validate_roles((role,))
        requirement(level, phishing_resistant)
        if auth_time is None:
            age = 0 if is_recent else REAUTH_WINDOW_SECONDS + 1
            auth_time = int(clock.now().timestamp()) - age
        if user_id is None:
            user_id = str(uuid5(NAMESPACE_URL, f"mailto:{email.lower()}"))
        user = Principal(
            user_id,
            email,
            role,
            first_name,
            last_name,
            email_verified,
            level,
            auth_time,
            _methods(level, phishing_resistant),
            phishing_resistant,
            REAUTH_WINDOW_SECONDS,
        )
        session_id = secrets.token_urlsafe(16)
        _set_cookie(client, session_id)
        self._sessions[session_id] = user
        return user

    def end_sessions(self, user: Principal | None = None) -> None:
        """End the sessions of a user, or of all users."""
        self._sessions = {
            session_id: known
            for session_id, known in self._sessions.items()
            if user is not None and known.id != user.id
        }

    def principal(self, header_value: str) -> Principal | None:
        """Return the user of a `Cookie` header, as a backend does."""
        if self.is_down:
            raise VestibuleUnavailable("the fake Vestibule is down")
        return self._sessions.get(_session_id(header_value))

    def close(self) -> None:
        """Do nothing: there is no connection."""


@contextmanager
def fake_vestibule() -> Iterator[FakeVestibule]:
    """Let all adapters of this process use a fake Vestibule.

    That holds for adapters that exist already and for new ones, until the
    block ends.
    """
    fake = FakeVestibule()
    with ExitStack() as stack:
        for kind in _BACKENDS:
            _replace(stack, kind, header=COOKIE, principal=_method(fake))
        for async_kind in _ASYNC_BACKENDS:
            _replace(
                stack, async_kind, header=COOKIE, principal=_coroutine(fake)
            )
        if find_spec("sqlalchemy") is not None:
            from vestibule.protect.in_process import InProcess

            _replace(stack, InProcess, principal=_method(fake))
        # What is created from now on needs no database.
        for module in (backends, async_backends):
            _replace(stack, module, open_in_process=lambda *_, **__: fake)
        _active.append(fake)
        try:
            yield fake
        finally:
            _active.remove(fake)


def sign_in_as(
    client: Any, email: str = "user@example.com", **more: Any
) -> Principal:
    """Sign a user in at the fake Vestibule that is in use.

    The arguments are those of `FakeVestibule.sign_in_as`. Raise
    `LookupError` outside of `fake_vestibule()`.
    """
    if not _active:
        raise LookupError("use sign_in_as within fake_vestibule()")
    return _active[-1].sign_in_as(client, email, **more)


def sign_out(client: Any) -> None:
    """Sign the user of a test client out."""
    _set_cookie(client, "")


def _replace(stack: ExitStack, target: Any, **attributes: Any) -> None:
    """Replace attributes until `stack` is closed."""
    for name, value in attributes.items():
        stack.enter_context(patch.object(target, name, value))


def _method(fake: FakeVestibule) -> Any:
    """Return a method that asks `fake` for the user."""
    return lambda _, header_value: fake.principal(header_value)


def _coroutine(fake: FakeVestibule) -> Any:
    """Return a coroutine method that asks `fake` for the user."""

    async def principal(_: Any, header_value: str) -> Principal | None:
        """Return the user of a `Cookie` header."""
        return fake.principal(header_value)

    return principal


def _methods(level: int, phishing_resistant: bool) -> tuple[str, ...]:
    """Return the methods by which a user signs in so well."""
    one = "pop" if phishing_resistant else "pwd"
    if level < 2:
        return (one,)
    return (one, "mfa") if phishing_resistant else (one, "otp", "mfa")


def _session_id(header_value: str) -> str:
    """Return the id of the session in a `Cookie` header, or ""."""
    return cookies_of(header_value).get(COOKIE_NAME, "")


def _set_cookie(client: Any, value: str) -> None:
    """Set the session cookie of a test client; raise `TypeError`."""
    cookies = getattr(client, "cookies", None)
    if isinstance(cookies, SimpleCookie):
        # Of Django, and of Django REST framework.
        cookies[COOKIE_NAME] = value
    elif hasattr(client, "application") and hasattr(client, "set_cookie"):
        # Of Flask, whose requests are for its server name.
        config = getattr(client.application, "config", {})
        host = (config.get("SERVER_NAME") or "localhost").partition(":")[0]
        client.set_cookie(COOKIE_NAME, value, domain=host)
    elif cookies is not None and hasattr(cookies, "set"):
        # Of Starlette, FastAPI and httpx.
        if COOKIE_NAME in cookies:
            cookies.delete(COOKIE_NAME)
        cookies.set(COOKIE_NAME, value)
    else:
        raise TypeError(
            f"cannot sign in at a {type(client).__name__}: it is no test"
            " client of Flask, Django, Starlette, FastAPI or httpx"
        )


if find_spec("pytest") is not None:
    import pytest

    @pytest.fixture(name="fake_vestibule")
    def _fake_vestibule() -> Iterator[FakeVestibule]:
        """Let the adapters use a fake Vestibule during a test."""
        with fake_vestibule() as fake:
            yield fake

    @pytest.fixture(name="sign_in_as")
    def _sign_in_as(fake_vestibule: FakeVestibule) -> Any:
        """Return the function that signs a user in at a test client."""
        return fake_vestibule.sign_in_as
