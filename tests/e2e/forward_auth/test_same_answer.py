#!/usr/bin/env python3
"""The gate knows cookies again, and only for as long as that is right."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.app.api.house import House, basic, built, stored_user
from tests.clocks import SetClock
from tests.serving import COOKIE
from vestibule.api import app as app_module
from vestibule.core.digest import digest_of
from vestibule.db import session_queries
from vestibule.db.models.user import User
from vestibule.http import user_response, verify
from vestibule.mechanisms import session_cache
from vestibule.mechanisms.session_db_auth import SessionDBAuth
from vestibule.sessions.sweeper import Sweeper


@dataclass
class Caller:
    """Somebody whose cookies the gate knows."""

    house: House
    user: User
    session_id: str

    def status(self, cookies: str | None = None, **headers: str) -> int:
        """Return what the gate answers, with `cookies` for a header."""
        if cookies is None:
            cookies = f"{COOKIE}={self.session_id}"
        return (
            self.house.app.test_client(use_cookies=False)
            .get(verify.PATH, headers={"Cookie": cookies, **headers})
            .status_code
        )


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Stop the product's clock; the test moves it."""
    return SetClock().install(monkeypatch)


@pytest.fixture
def caller(
    monkeypatch: pytest.MonkeyPatch, set_clock: SetClock
) -> Iterator[Caller]:
    """Return somebody who was let through a moment ago."""
    monkeypatch.setenv("SESSION_NAME", COOKIE)
    monkeypatch.setenv("SESSION_DURATION", "100")
    monkeypatch.setattr(Sweeper, "ensure_running", lambda self: None)
    session_cache._known.clear()
    house = built(app_module, "session_db_auth")
    monkeypatch.setitem(vars(app_module), "auth", house.mechanism)
    user = stored_user()
    session_id = house.mechanism.create_session(user.id)
    known = Caller(house, user, session_id)
    assert known.status() == 200
    yield known


def test_cookies_are_not_read_again(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While nothing changes the answer is there; others are asked for."""
    monkeypatch.delattr(verify, "VestibuleRequest")
    assert caller.status() == 200
    for cookies in ("", f"{COOKIE}=other", f"a=b; {COOKIE}=x"):
        with pytest.raises(NameError):
            caller.status(cookies)
    with pytest.raises(NameError):
        caller.status(Authorization=basic(caller.user))


def test_other_cookies_beside_it(caller: Caller) -> None:
    """Each header is known by itself; one in conflict never is."""
    mine = f"{COOKIE}={caller.session_id}"
    for _ in range(2):
        assert caller.status(f"theme=dark; {mine}") == 200
        assert caller.status(f"{mine}; {mine}x") == 401
        assert caller.status("a=" + "b" * 2000 + f"; {mine}") == 200


def _disable(caller: Caller) -> None:
    """Keep the user out."""
    caller.user.disabled_at = caller.user.created_at
    caller.user.save()


def _revoke(caller: Caller) -> None:
    """End the session as its user does from another device."""
    assert session_queries.delete_by_digest(
        digest_of(caller.session_id), "revoked"
    )


def _remove(caller: Caller) -> None:
    """Remove the user."""
    caller.user.remove()


def _be_replaced(caller: Caller) -> None:
    """Put another mechanism in the place of the one that knew."""
    vars(app_module)["auth"] = None


def _replace_a_rule(caller: Caller) -> None:
    """Read the cookie in another way from now on."""
    caller.house.mechanism.session_cookie = lambda _: None


def _replace_the_class(caller: Caller) -> None:
    """Put a mechanism of somebody's own in place, which knows nobody."""

    class Nobody(SessionDBAuth):
        """A mechanism whose sessions name no user."""

        def current_user(self, request: object = None) -> None:
            """Return nobody."""

    vars(app_module)["auth"] = Nobody()


@pytest.mark.parametrize(
    "end",
    [
        _disable,
        _revoke,
        _remove,
        _be_replaced,
        _replace_a_rule,
        _replace_the_class,
    ],
)
def test_what_changes_counts_at_once(
    caller: Caller, end: Callable[[Caller], None]
) -> None:
    """The next request with the same cookies is refused."""
    end(caller)
    assert caller.status() == 401


def test_another_name_of_the_cookie(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`SESSION_NAME` counts at each request."""
    monkeypatch.setenv("SESSION_NAME", "another")
    assert caller.status() == 401


def test_the_last_moment(caller: Caller, set_clock: SetClock) -> None:
    """The limit of the session is that of what is known."""
    set_clock.advance(100)
    assert caller.status() == 200
    set_clock.advance(1e-6)
    assert caller.status() == 401


def test_a_change_of_the_user_is_told(caller: Caller) -> None:
    """The next answer has the user as it is stored now."""
    caller.user.first_name = "Ada"
    caller.user.save()
    answer = caller.house.app.test_client(use_cookies=False).get(
        verify.PATH, headers={"Cookie": f"{COOKIE}={caller.session_id}"}
    )
    assert answer.get_json()["first_name"] == "Ada"


def test_what_is_kept_is_bounded(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond a number of headers it begins anew, and forgets the rest."""
    monkeypatch.setattr(user_response, "MAX_CACHED_SESSIONS", 2)
    mine = f"{COOKIE}={caller.session_id}"
    for number in range(5):
        assert caller.status(f"a={number}; {mine}") == 200
    monkeypatch.delattr(verify, "VestibuleRequest")
    assert caller.status(f"a=4; {mine}") == 200
    with pytest.raises(NameError):
        caller.status(f"a=0; {mine}")
