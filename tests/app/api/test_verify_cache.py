#!/usr/bin/env python3
"""Verify caches the response of a cookie header only while it is valid."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.app.api.request_strategies import RULES
from tests.app.api.service import Service, basic, build_service, stored_user
from tests.clocks import SetClock
from tests.serving import COOKIE
from vestibule.api import app as app_module
from vestibule.core.crypto import digest_of
from vestibule.db import session_queries
from vestibule.db.models.user import User
from vestibule.http import user_response, verify
from vestibule.mechanisms import session_cache
from vestibule.mechanisms.session_db_auth import SessionDBAuth
from vestibule.sessions.sweeper import Sweeper


@dataclass
class Caller:
    """A user whose cookies verify has cached."""

    service: Service
    user: User
    session_id: str

    def status(
        self, cookies: str | None = None, query: str = "", **headers: str
    ) -> int:
        """Return verify's status for a `Cookie` header."""
        if cookies is None:
            cookies = f"{COOKIE}={self.session_id}"
        return (
            self.service.app.test_client(use_cookies=False)
            .get(
                verify.PATH,
                query_string=query,
                headers={"Cookie": cookies, **headers},
            )
            .status_code
        )


@pytest.fixture
def caller(
    monkeypatch: pytest.MonkeyPatch, set_clock: SetClock
) -> Iterator[Caller]:
    """Return a user whose session was just verified."""
    monkeypatch.setenv("SESSION_NAME", COOKIE)
    monkeypatch.setenv("SESSION_DURATION", "100")
    monkeypatch.setattr(Sweeper, "ensure_running", lambda self: None)
    session_cache._known.clear()
    service = build_service(app_module, "session_db_auth")
    monkeypatch.setitem(vars(app_module), "auth", service.mechanism)
    user = stored_user()
    session_id = service.mechanism.create_session(user.id)
    known = Caller(service, user, session_id)
    assert known.status() == 200
    yield known


def test_cached_cookie_header_is_not_parsed_again(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cached header needs no request object; other headers do."""
    monkeypatch.delattr(verify, "VestibuleRequest")
    assert caller.status() == 200
    for cookies in ("", f"{COOKIE}=other", f"a=b; {COOKIE}=x"):
        with pytest.raises(NameError):
            caller.status(cookies)
    with pytest.raises(NameError):
        caller.status(Authorization=basic(caller.user))


def test_each_cookie_header_is_cached_by_itself(caller: Caller) -> None:
    """Conflicting cookies are never cached as valid."""
    mine = f"{COOKIE}={caller.session_id}"
    for _ in range(2):
        assert caller.status(f"theme=dark; {mine}") == 200
        assert caller.status(f"{mine}; {mine}x") == 401
        assert caller.status("a=" + "b" * 2000 + f"; {mine}") == 200


def _disable(caller: Caller) -> None:
    """Disable the user."""
    caller.user.disabled_at = caller.user.created_at
    caller.user.save()


def _revoke(caller: Caller) -> None:
    """Revoke the session like the user on another device."""
    assert session_queries.delete_by_digest(
        digest_of(caller.session_id), "revoked"
    )


def _remove(caller: Caller) -> None:
    """Remove the user."""
    caller.user.remove()


def _remove_mechanism(caller: Caller) -> None:
    """Remove the mechanism that cached the session."""
    vars(app_module)["auth"] = None


def _replace_method(caller: Caller) -> None:
    """Replace how the mechanism reads the cookie."""
    caller.service.mechanism.session_cookie = lambda _: None


def _replace_class(caller: Caller) -> None:
    """Install a custom mechanism that knows no user."""

    class Anonymous(SessionDBAuth):
        """A mechanism whose sessions have no user."""

        def current_user(self, request: object = None) -> None:
            """Return `None`."""

    vars(app_module)["auth"] = Anonymous()


@pytest.mark.parametrize(
    "end",
    [
        _disable,
        _revoke,
        _remove,
        _remove_mechanism,
        _replace_method,
        _replace_class,
    ],
)
def test_change_invalidates_cached_response(
    caller: Caller, end: Callable[[Caller], None]
) -> None:
    """The next request with the same cookies is refused."""
    end(caller)
    assert caller.status() == 401


def test_changed_session_name_invalidates_cache(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`SESSION_NAME` is read on each request."""
    monkeypatch.setenv("SESSION_NAME", "another")
    assert caller.status() == 401


def test_cached_response_expires_with_session(
    caller: Caller, set_clock: SetClock
) -> None:
    """The cached response is valid as long as the session."""
    set_clock.advance(100)
    assert caller.status() == 200
    set_clock.advance(1e-6)
    assert caller.status() == 401


def test_changed_user_is_returned(caller: Caller) -> None:
    """The next response shows the user as stored now."""
    caller.user.first_name = "Ada"
    caller.user.save()
    answer = caller.service.app.test_client(use_cookies=False).get(
        verify.PATH, headers={"Cookie": f"{COOKIE}={caller.session_id}"}
    )
    assert answer.get_json()["first_name"] == "Ada"


def test_cache_is_bounded(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond its maximum the responses go that were not used lately."""
    monkeypatch.setenv("SESSION_CACHE_MAX", "2")
    mine = f"{COOKIE}={caller.session_id}"
    for number in range(5):
        assert caller.status(f"a={number}; {mine}") == 200
    monkeypatch.delattr(verify, "VestibuleRequest")
    assert caller.status(f"a=4; {mine}") == 200
    with pytest.raises(NameError):
        caller.status(f"a=0; {mine}")


def test_post_with_cached_cookies_is_refused(caller: Caller) -> None:
    """The cache answers GET only, so a POST still gets 405."""
    cookies = f"{COOKIE}={caller.session_id}"
    client = caller.service.app.test_client(use_cookies=False)
    for _ in range(2):
        answer = client.post(verify.PATH, headers={"Cookie": cookies})
        assert answer.status_code == 405


def test_long_cookie_header_is_not_cached(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A header of the maximum length is cached, a longer one is not."""
    mine = f"{COOKIE}={caller.session_id}"
    room = user_response.MAX_COOKIE_HEADER_LENGTH - len(f"{mine}; a=")
    longest, too_long = (f"{mine}; a={'x' * n}" for n in (room, room + 1))
    assert caller.status(longest) == caller.status(too_long) == 200
    monkeypatch.delattr(verify, "VestibuleRequest")
    assert caller.status(longest) == 200
    with pytest.raises(NameError):
        caller.status(too_long)


def test_rule_is_checked_for_cached_response(caller: Caller) -> None:
    """One cached response answers each rule by itself."""
    for _ in range(2):
        for rule, status in RULES.items():
            assert caller.status(query=rule) == status, rule


def test_allowed_rule_uses_cached_response(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rule that the user meets needs no request object; others do."""
    monkeypatch.delattr(verify, "VestibuleRequest")
    assert caller.status(query="role=member") == 200
    for rule in ("role=admin", "role=owner"):
        with pytest.raises(NameError):
            caller.status(query=rule)


def test_changed_role_changes_what_rule_allows(caller: Caller) -> None:
    """The next request counts with the role that is stored now."""
    caller.user.role = "admin"
    caller.user.save()
    assert caller.status(query="role=admin") == 200
    assert caller.status(query="role=member") == 403
    caller.user.role = "member"
    caller.user.save()
    assert caller.status(query="role=admin") == 403


def test_refusal_by_rule_is_logged(
    caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    """The security log names the user and the reason, each time."""
    caplog.set_level("INFO")
    for _ in range(2):
        assert caller.status(query="role=admin") == 403
    lines = [json.loads(line) for line in caplog.messages if "denied" in line]
    assert [
        (line["event"], line["user"], line["reason"]) for line in lines
    ] == [("access_denied", caller.user.id, "role")] * 2
