#!/usr/bin/env python3
"""The differences between the three security profiles."""

import re

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import (
    PASSWORD,
    STATUS,
    Service,
    session_id_of,
    stored_user,
)
from tests.clocks import SetClock
from tests.serving import (
    COOKIE,
    ME,
    USERS,
)
from vestibule.checks.startup import check_settings
from vestibule.core import settings
from vestibule.core.errors import ConfigurationError
from vestibule.db.models.user import User
from vestibule.mechanisms import mechanism_for

PROFILES = ("contract", "standard", "hardened")
PROFILE = "SECURITY_PROFILE"
NAMES = {
    "contract": COOKIE,
    "standard": COOKIE,
    "hardened": "__Host-session",
}
ALICE = {"email": "alice@example.com"}


def furnish(build: Build, profile: str, **more: str) -> Service:
    """Build an application with a profile."""
    return build(
        "session_db_auth",
        **{
            "SECURITY_PROFILE": profile,
            "SESSION_NAME": NAMES[profile],
            **more,
        },
    )


@pytest.mark.parametrize("profile", PROFILES)
def test_hardened_login_error_hides_unknown_email(
    build: Build, profile: str
) -> None:
    """Under `contract` an unknown email gets its own error."""
    service = furnish(build, profile)
    unknown = service.log_in(User(email="unknown@example.com"))[1]
    wrong = service.log_in(stored_user(), "wrong")[1]
    assert wrong.status_code == 401
    if profile == "contract":
        assert unknown.status_code == 404
        assert unknown.get_json() == {"error": "no user found for this email"}
    else:
        assert unknown.status_code == 401
        assert unknown.data == wrong.data
        assert sorted(unknown.headers) == sorted(wrong.headers)


@pytest.mark.parametrize("profile", PROFILES)
def test_cors_origin_depends_on_profile(build: Build, profile: str) -> None:
    """`contract` allows any origin, the others none; never credentials."""
    answer = (
        furnish(build, profile)
        .client()
        .get(STATUS, headers={"Origin": "https://a.example"})
    )
    assert answer.headers.get("Access-Control-Allow-Origin") == (
        "*" if profile == "contract" else None
    )


@pytest.mark.parametrize("profile", PROFILES)
def test_session_id_depends_on_profile(build: Build, profile: str) -> None:
    """It is a UUID, or 256 random bits."""
    client = furnish(build, profile).client_for(stored_user())
    form = (
        r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
        if profile == "contract"
        else r"[A-Za-z0-9_-]{43}"
    )
    assert re.fullmatch(form, session_id_of(client))


@pytest.mark.parametrize(
    ("profile", "name", "starts"),
    [
        ("contract", COOKIE, True),
        ("contract", "__Host-session", True),
        ("hardened", "__Host-session", True),
        ("hardened", COOKIE, False),
        ("hardened", "__Secure-session", False),
        ("hardened", "__host-session", False),
        ("hardened", None, True),
    ],
)
def test_hardened_cookie_name_needs_host_prefix(
    monkeypatch: pytest.MonkeyPatch,
    profile: str,
    name: str | None,
    starts: bool,
) -> None:
    """`__Host-` keeps other hosts of the domain from replacing it."""
    monkeypatch.setenv("SECURITY_PROFILE", profile)
    if name is not None:
        monkeypatch.setenv("SESSION_NAME", name)
    _start(starts, "SESSION_NAME: must begin with __Host-")


@pytest.mark.parametrize(
    ("profile", "duration", "starts"),
    [
        ("contract", "soon", True),
        ("hardened", "soon", False),
        ("hardened", "", True),
        ("hardened", "1.5", False),
        ("hardened", "60", True),
        ("hardened", "0", True),
        ("hardened", None, True),
    ],
)
def test_invalid_session_duration_depends_on_profile(
    monkeypatch: pytest.MonkeyPatch,
    profile: str,
    duration: str | None,
    starts: bool,
) -> None:
    """It counts as 0, or the service refuses to start."""
    monkeypatch.setenv("SECURITY_PROFILE", profile)
    if duration is not None:
        monkeypatch.setenv("SESSION_DURATION", duration)
    _start(starts, "SESSION_DURATION: must be whole seconds")


def _start(starts: bool, why: str) -> None:
    """Expect that the service starts, or fails with this message."""
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
        ("standard", "0", 7_201, "idle_timeout"),
        ("standard", "0", 7_199, None),
        ("hardened", "0", 1_801, "idle_timeout"),
        ("hardened", "0", 1_799, None),
        ("hardened", "60", 61, "expired"),
    ],
)
def test_idle_session_lifetime_depends_on_profile(
    build: Build,
    set_clock: SetClock,
    profile: str,
    duration: str,
    after: int,
    reason: str | None,
) -> None:
    """The lifetime is unlimited, its duration, or an idle timeout."""
    service = furnish(build, profile, SESSION_DURATION=duration)
    client = service.client_for(stored_user())
    set_clock.advance(after)
    answer = client.get(ME)
    assert answer.status_code == (200 if reason is None else 403)
    if reason is not None:
        assert answer.headers["Session-Ended"] == f"reason={reason}"


@pytest.mark.parametrize(
    ("profile", "lives"),
    [("contract", True), ("standard", False), ("hardened", False)],
)
def test_used_session_lifetime_depends_on_profile(
    build: Build, set_clock: SetClock, profile: str, lives: bool
) -> None:
    """Under `standard` and `hardened` it is at most twelve hours."""
    service = furnish(build, profile, SESSION_DURATION="999999")
    client = service.client_for(stored_user())
    for _ in range(36):
        assert client.get(ME).status_code == 200
        set_clock.advance(1200)
    assert client.get(ME).status_code == 200
    set_clock.advance(1)
    assert (client.get(ME).status_code == 200) is lives


@pytest.mark.parametrize("profile", PROFILES)
def test_user_permissions_depend_on_profile(
    build: Build, profile: str
) -> None:
    """Users may change all users, or only themselves."""
    service = furnish(build, profile)
    user, other = stored_user(), stored_user()
    client = service.client_for(user)
    wanted = 200 if profile == "contract" else 403
    assert client.get(USERS).status_code == wanted
    assert client.get(f"{USERS}/{other.id}").status_code == wanted
    assert client.get(f"{USERS}/{user.id}").status_code == 200
    assert (
        service.client_for(stored_user("admin")).get(USERS).status_code == 200
    )


@pytest.mark.parametrize(
    ("profile", "least"), [("contract", 8), ("standard", 8), ("hardened", 15)]
)
def test_password_length_depends_on_profile(
    build: Build, profile: str, least: int
) -> None:
    """It holds for new users and for changes."""
    service = furnish(build, profile)
    phrase = "violet umbrella stand"
    admin = service.client_for(stored_user("admin"))
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
def test_common_password_check_depends_on_profile(
    build: Build, profile: str, password: str
) -> None:
    """A change always refuses them, a new user not under `contract`."""
    service = furnish(build, profile)
    user = stored_user("admin", email="alice@example.com")
    admin = service.client_for(user)
    body = {"current_password": PASSWORD, "new_password": password}
    assert admin.put(f"{ME}/password", json=body).status_code == 400
    user.email = "renamed@example.com"
    user.save()
    answer = admin.post(USERS, json=ALICE | {"password": password})
    assert answer.status_code == (201 if profile == "contract" else 400)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_secure_flag_depends_on_profile(
    build: Build, profile: str, scheme: str
) -> None:
    """`Secure` is set over TLS only, or always."""
    service = furnish(build, profile)
    answer = service.log_in(stored_user(), base_url=f"{scheme}://app.example")[
        1
    ]
    flags = answer.headers["Set-Cookie"].split("; ")[1:]
    is_secure = scheme == "https" or profile == "hardened"
    assert sorted(flags) == sorted(
        ["HttpOnly", "Path=/", "SameSite=Lax"]
        + (["Secure"] if is_secure else [])
    )


@pytest.mark.parametrize("profile", PROFILES)
def test_hardened_deletion_needs_recent_password(
    build: Build, set_clock: SetClock, profile: str
) -> None:
    """Under the other profiles an old login is enough."""
    user = stored_user()
    client = furnish(build, profile).client_for(user)
    set_clock.advance(301)
    answer = client.delete(f"{USERS}/{user.id}")
    assert answer.status_code == (403 if profile == "hardened" else 200)


@pytest.mark.parametrize("profile", PROFILES[1:])
@pytest.mark.parametrize("setting", settings.ALL, ids=lambda each: each.name)
def test_explicit_setting_overrides_profile(
    monkeypatch: pytest.MonkeyPatch,
    setting: settings.Setting[object],
    profile: str,
) -> None:
    """It holds for each setting that a profile changes."""
    own = getattr(setting, profile)
    monkeypatch.delenv(setting.name, raising=False)
    plain = setting.read()
    monkeypatch.setenv("SECURITY_PROFILE", profile)
    strict = setting.read()
    assert (plain != strict) is (own is not None or setting.name == PROFILE)
    if own is not None and setting.default is not None:
        monkeypatch.setenv(setting.name, setting.default)
        assert setting.read() == plain
        monkeypatch.setenv("SECURITY_PROFILE", "contract")
        monkeypatch.setenv(setting.name, own)
        assert setting.read() == strict
