#!/usr/bin/env python3
"""The differences between the three security profiles."""

import re

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import (
    PASSWORD,
    Service,
    stored_user,
)
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
