#!/usr/bin/env python3
"""The two profiles: each row of what they differ in, under both."""

import re

import pytest

from tests.app.api.conftest import Build
from tests.app.api.house import (
    LOGIN,
    ME,
    PASSWORD,
    STATUS,
    USERS,
    House,
    session_id_of,
    stored_user,
)
from tests.clocks import SetClock
from vestibule.checks.startup import check_settings
from vestibule.core import settings
from vestibule.core.errors import ConfigurationError
from vestibule.db.models.user import User
from vestibule.mechanisms import mechanism_for

PROFILES = ("contract", "hardened")
NAMES = {"contract": "_my_session_id", "hardened": "__Host-session"}
ALICE = {"email": "alice@example.com"}


def furnish(build: Build, profile: str, **more: str) -> House:
    """Build an application under a profile."""
    return build(
        "session_db_auth",
        **{
            "SECURITY_PROFILE": profile,
            "SESSION_NAME": NAMES[profile],
            **more,
        },
    )


@pytest.mark.parametrize("profile", PROFILES)
def test_errors_of_a_login(build: Build, profile: str) -> None:
    """Under `hardened` nobody learns who has an account."""
    house = furnish(build, profile)
    nobody = house.log_in(User(email="nobody@example.com"))[1]
    wrong = house.log_in(stored_user(), "wrong")[1]
    assert wrong.status_code == 401
    if profile == "contract":
        assert nobody.status_code == 404
        assert nobody.get_json() == {"error": "no user found for this email"}
    else:
        assert nobody.status_code == 401
        assert nobody.data == wrong.data
        assert sorted(nobody.headers) == sorted(wrong.headers)


@pytest.mark.parametrize("profile", PROFILES)
def test_who_reads_answers(build: Build, profile: str) -> None:
    """Pages of anybody, or of nobody; with credentials never."""
    answer = (
        furnish(build, profile)
        .client()
        .get(STATUS, headers={"Origin": "https://a.example"})
    )
    assert answer.headers.get("Access-Control-Allow-Origin") == (
        "*" if profile == "contract" else None
    )


@pytest.mark.parametrize("profile", PROFILES)
def test_what_a_session_id_is(build: Build, profile: str) -> None:
    """A UUID, or 256 bits."""
    client = furnish(build, profile).known(stored_user())
    form = (
        r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
        if profile == "contract"
        else r"[A-Za-z0-9_-]{43}"
    )
    assert re.fullmatch(form, session_id_of(client))


@pytest.mark.parametrize(
    ("profile", "name", "starts"),
    [
        ("contract", "_my_session_id", True),
        ("contract", "__Host-session", True),
        ("hardened", "__Host-session", True),
        ("hardened", "_my_session_id", False),
        ("hardened", "__Secure-session", False),
        ("hardened", "__host-session", False),
        ("hardened", None, True),
    ],
)
def test_the_name_of_the_cookie(
    monkeypatch: pytest.MonkeyPatch,
    profile: str,
    name: str | None,
    starts: bool,
) -> None:
    """Under `hardened` no other host of the domain can replace it."""
    monkeypatch.setenv("SECURITY_PROFILE", profile)
    if name is not None:
        monkeypatch.setenv("SESSION_NAME", name)
    _start(starts, "SESSION_NAME: must begin with __Host-")


@pytest.mark.parametrize(
    ("profile", "duration", "starts"),
    [
        ("contract", "soon", True),
        ("hardened", "soon", False),
        ("hardened", "", False),
        ("hardened", "1.5", False),
        ("hardened", "60", True),
        ("hardened", "0", True),
        ("hardened", None, True),
    ],
)
def test_a_duration_is_a_number(
    monkeypatch: pytest.MonkeyPatch,
    profile: str,
    duration: str | None,
    starts: bool,
) -> None:
    """What cannot be read counts as 0, or refuses to start."""
    monkeypatch.setenv("SECURITY_PROFILE", profile)
    if duration is not None:
        monkeypatch.setenv("SESSION_DURATION", duration)
    _start(starts, "SESSION_DURATION: must be whole seconds")


def _start(starts: bool, why: str) -> None:
    """Expect that the start goes on, or is refused for this reason."""
    mechanism = mechanism_for("session_db_auth")
    if starts:
        check_settings(mechanism)
    else:
        with pytest.raises(ConfigurationError, match=re.escape(why)):
            check_settings(mechanism)


@pytest.mark.parametrize(
    ("profile", "duration", "after", "reason"),
    [
        ("contract", "0", 400 * 86_400, None),
        ("contract", "60", 61, "expired"),
        ("hardened", "0", 1_801, "idle_timeout"),
        ("hardened", "0", 1_799, None),
        ("hardened", "60", 61, "expired"),
    ],
)
def test_how_long_an_unused_session_lives(
    build: Build,
    moved_clock: SetClock,
    profile: str,
    duration: str,
    after: int,
    reason: str | None,
) -> None:
    """For ever, by its duration, or half an hour."""
    house = furnish(build, profile, SESSION_DURATION=duration)
    client = house.known(stored_user())
    moved_clock.advance(after)
    answer = client.get(ME)
    assert answer.status_code == (200 if reason is None else 403)
    if reason is not None:
        assert answer.headers["Session-Ended"] == f"reason={reason}"


@pytest.mark.parametrize(
    ("profile", "lives"), [("contract", True), ("hardened", False)]
)
def test_how_long_a_used_session_lives(
    build: Build, moved_clock: SetClock, profile: str, lives: bool
) -> None:
    """However long its duration: twelve hours under `hardened`."""
    house = furnish(build, profile, SESSION_DURATION="999999")
    client = house.known(stored_user())
    for _ in range(36):
        assert client.get(ME).status_code == 200
        moved_clock.advance(1200)
    assert client.get(ME).status_code == 200
    moved_clock.advance(1)
    assert (client.get(ME).status_code == 200) is lives


@pytest.mark.parametrize("profile", PROFILES)
def test_who_may_do_what(build: Build, profile: str) -> None:
    """All users to all, or everyone to oneself."""
    house = furnish(build, profile)
    user, other = stored_user(), stored_user()
    client = house.known(user)
    wanted = 200 if profile == "contract" else 403
    assert client.get(USERS).status_code == wanted
    assert client.get(f"{USERS}/{other.id}").status_code == wanted
    assert client.get(f"{USERS}/{user.id}").status_code == 200
    assert house.known(stored_user("admin")).get(USERS).status_code == 200


@pytest.mark.parametrize(
    ("profile", "least"), [("contract", 8), ("hardened", 15)]
)
def test_how_long_a_password_is(
    build: Build, profile: str, least: int
) -> None:
    """For new users and for changes."""
    house = furnish(build, profile)
    phrase = "violet umbrella stand"
    admin = house.known(stored_user("admin"))
    short = {"password": phrase[: least - 1]}
    answer = admin.post(USERS, json=ALICE | short)
    assert answer.get_json() == {
        "error": "Can't create User: password must have at least"
        f" {least} characters"
    }
    body = {"current_password": PASSWORD, "new_password": phrase[: least - 1]}
    assert admin.put(f"{ME}/password", json=body).status_code == 400
    answer = admin.post(USERS, json=ALICE | {"password": phrase[:least]})
    assert answer.status_code == 201
    body["new_password"] = phrase[:least]
    assert admin.put(f"{ME}/password", json=body).status_code == 200


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    "password", ["passwordpassword", "alice@example.com", "vestibule-2026-08"]
)
def test_common_passwords(build: Build, profile: str, password: str) -> None:
    """A change refuses them always, new users under `hardened`."""
    house = furnish(build, profile)
    user = stored_user("admin", email="alice@example.com")
    admin = house.known(user)
    body = {"current_password": PASSWORD, "new_password": password}
    assert admin.put(f"{ME}/password", json=body).status_code == 400
    user.email = "renamed@example.com"
    user.save()
    answer = admin.post(USERS, json=ALICE | {"password": password})
    assert answer.status_code == (201 if profile == "contract" else 400)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_flags(build: Build, profile: str, scheme: str) -> None:
    """`Secure` where it came by TLS, or always."""
    house = furnish(build, profile)
    answer = house.log_in(stored_user(), base_url=f"{scheme}://app.example")[1]
    flags = answer.headers["Set-Cookie"].split("; ")[1:]
    is_secure = scheme == "https" or profile == "hardened"
    assert sorted(flags) == sorted(
        ["HttpOnly", "Path=/", "SameSite=Lax"]
        + (["Secure"] if is_secure else [])
    )


@pytest.mark.parametrize("profile", PROFILES)
def test_deleting_an_account(
    build: Build, moved_clock: SetClock, profile: str
) -> None:
    """A recent proof is needed under `hardened`."""
    user = stored_user()
    client = furnish(build, profile).known(user)
    moved_clock.advance(301)
    answer = client.delete(f"{USERS}/{user.id}")
    assert answer.status_code == (200 if profile == "contract" else 403)


@pytest.mark.parametrize("profile", PROFILES)
def test_another_site_is_refused_by_both(build: Build, profile: str) -> None:
    """Where the contract is silent both take the safe choice."""
    answer = (
        furnish(build, profile)
        .client()
        .post(LOGIN, headers={"Origin": "https://evil.example"})
    )
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "setting",
    [one for one in settings.ALL if one.hardened is not None],
    ids=lambda setting: setting.name,
)
def test_each_row_is_a_setting_of_its_own(
    monkeypatch: pytest.MonkeyPatch, setting: settings.Setting[object]
) -> None:
    """Under both profiles what is set counts, whatever the default."""
    plain = setting.read()
    monkeypatch.setenv("SECURITY_PROFILE", "hardened")
    strict = setting.read()
    assert plain != strict
    assert setting.default is not None
    monkeypatch.setenv(setting.name, setting.default)
    assert setting.read() == plain
    monkeypatch.setenv("SECURITY_PROFILE", "contract")
    assert setting.hardened is not None
    monkeypatch.setenv(setting.name, setting.hardened)
    assert setting.read() == strict
