#!/usr/bin/env python3
"""Parts of sessions: entries, ids, devices and client addresses."""

import uuid
from contextvars import copy_context
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestibule.core.client_info import (
    LOCAL_CLIENT,
    MAX_USER_AGENT_LENGTH,
    ClientInfo,
    clean_user_agent,
    current_client,
    device_name,
    set_client,
)
from vestibule.sessions.session import Entry, new_session_id, parse_entry

VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.text(),
    st.integers(),
    st.binary(),
    st.datetimes(),
    st.datetimes(timezones=st.timezones()),
    st.floats(),
    st.lists(st.text(), max_size=2),
)
ENTRIES: st.SearchStrategy[Any] = VALUES | st.fixed_dictionaries(
    {}, optional={"user_id": VALUES, "created_at": VALUES}
)
_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


@given(ENTRIES)
def test_any_value_is_an_entry_or_none(value: Any) -> None:
    """Nothing in the dictionary makes reading it fail."""
    entry = parse_entry(value)
    if isinstance(value, str):
        assert entry == Entry(value)
        return
    if not isinstance(value, dict) or not isinstance(
        value.get("user_id"), str
    ):
        assert entry is None
        return
    assert entry is not None
    assert entry.user_id == value["user_id"]
    if entry.created_at is not None:
        given = value["created_at"]
        assert entry.created_at.utcoffset() is not None
        if given.tzinfo is not None:
            assert entry.created_at == given.astimezone(timezone.utc)


def test_ordinary_entry_keeps_its_date() -> None:
    """Entries of the mechanisms are read back unchanged."""
    began = datetime(2026, 3, 29, 2, 30, tzinfo=timezone.utc)
    entry = parse_entry({"user_id": "abcde", "created_at": began})
    assert entry == Entry("abcde", began)


def test_new_ids_are_random(monkeypatch: pytest.MonkeyPatch) -> None:
    """No two of many are the same, of either kind."""
    ids = {new_session_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert {uuid.UUID(each).version for each in ids} == {4}
    monkeypatch.setenv("SESSION_TOKEN", "secret256")
    secrets = {new_session_id() for _ in range(1000)}
    assert len(secrets) == 1000
    assert {len(each) for each in secrets} == {43}
    assert all(each.isascii() for each in secrets)


@pytest.mark.parametrize(
    ("user_agent", "device"),
    [
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101"
            " Firefox/128.0",
            "Firefox on Linux",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
            f" {_WEBKIT} Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0",
            "Edge on Windows",
        ),
        (
            f"Mozilla/5.0 (Linux; Android 10; K) {_WEBKIT}"
            " Chrome/126.0.0.0 Mobile Safari/537.36",
            "Chrome on Android",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X)"
            " AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5"
            " Mobile/15E148 Safari/604.1",
            "Safari on iPhone",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
            f" {_WEBKIT} Chrome/126.0.0.0 Safari/537.36 OPR/112.0.0.0",
            "Opera on macOS",
        ),
        (
            f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {_WEBKIT}"
            " Chrome/126.0.0.0 Safari/537.36",
            "Chrome on ChromeOS",
        ),
        ("curl/8.5.0", "curl"),
        ("python-requests/2.32.3", "Python"),
        ("Wget/1.21.4", "Wget"),
        ("MyProgram/1.0 (Linux)", "an unknown program on Linux"),
        ("", "an unknown program"),
        (None, "an unknown program"),
    ],
)
def test_device_is_described_in_words(
    user_agent: str | None, device: str
) -> None:
    """Browsers claim to be others too; the one that it is, is named."""
    assert device_name(user_agent) == device


@given(st.text())
def test_any_user_agent_has_a_description(text: str) -> None:
    """Nothing of the text itself gets into the words."""
    assert device_name(text)
    assert set(device_name("<b>" + text)).isdisjoint("<>\r\n")


def test_script_has_no_client_address() -> None:
    """A client counts only where it was set."""

    def within() -> ClientInfo:
        """Set the client of this thread, and read it."""
        set_client(ClientInfo("192.0.2.1", "curl/8.5.0", "password"))
        return current_client()

    assert copy_context().run(within).ip == "192.0.2.1"
    assert current_client() == LOCAL_CLIENT == ClientInfo(is_local=True)


@given(st.text(max_size=2 * MAX_USER_AGENT_LENGTH))
def test_stored_user_agent_is_one_short_line(text: str) -> None:
    """Nothing of it can break a line of a log or a terminal."""
    kept = clean_user_agent(text)
    assert kept is not None
    assert len(kept) == min(len(text), MAX_USER_AGENT_LENGTH)
    assert kept.isprintable()
    assert clean_user_agent(kept) == kept


def test_missing_user_agent_is_none() -> None:
    """A missing header differs from an empty one."""
    assert clean_user_agent(None) is None
    assert clean_user_agent("a\r\nb\0c") == "a  b c"


def test_long_user_agent_is_truncated() -> None:
    """Exactly the first `MAX_USER_AGENT_LENGTH` characters are kept."""
    assert clean_user_agent("x" * (MAX_USER_AGENT_LENGTH + 1)) == (
        "x" * MAX_USER_AGENT_LENGTH
    )
