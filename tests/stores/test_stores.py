#!/usr/bin/env python3
"""What every store of sessions must do, in memory and in databases."""

import uuid
from contextvars import copy_context
from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.clocks import SetClock
from tests.stored_sessions import sessions_in
from tests.stores.conftest import Make, begin, handle_of
from tests.threads import at_once
from vestibule.core.client_info import ClientInfo, set_client
from vestibule.core.crypto import digest_of
from vestibule.db.engine import database
from vestibule.db.models.user_session import UserSession
from vestibule.db.tables import ENDED_SESSIONS
from vestibule.sessions.database import DatabaseStore
from vestibule.sessions.facts import (
    NO_FACTS,
    PasswordProof,
    RecoveryCodeProof,
    TotpProof,
    facts_of,
    facts_of_session,
    level_of,
    proven,
)
from vestibule.sessions.lifetime import Limits
from vestibule.sessions.session import EndReason

ORIGIN = ClientInfo("192.0.2.1", "curl/8.5.0", "password")
DAY = 86_400
MINUTE = timedelta(seconds=60)


def test_session_of_a_script_has_only_a_date(
    mechanism: Make, set_clock: SetClock
) -> None:
    """It has neither a client nor a login."""
    found = mechanism().store.find(begin(mechanism))
    assert found is not None
    assert found.user_id == "abcde"
    assert found.created_at == found.last_seen_at == set_clock.moment
    assert (found.ip, found.user_agent, found.method) == (None, None, None)
    assert found.authenticated_at is None


def test_session_carries_the_facts_of_its_proofs(
    mechanism: Make, set_clock: SetClock
) -> None:
    """They are stored as they were given, and survive a rotation."""
    made = mechanism()
    facts = facts_of([PasswordProof(set_clock.moment)])
    with proven(facts):
        session_id = str(made.create_session("abcde"))
    script = made.store.find(begin(mechanism))
    assert script is not None
    assert facts_of_session(script) == NO_FACTS
    found = made.store.find(session_id)
    assert found is not None
    assert facts_of_session(found)._replace(auth_time=None) == (
        facts._replace(auth_time=None)
    )
    set_clock.advance(60)
    renewed = made.store.rotate(session_id, set_clock.moment)
    proof = TotpProof(set_clock.moment)
    raised = made.store.rotate(str(renewed), set_clock.moment, proof)
    found = made.store.find(str(raised))
    assert found is not None
    now = facts_of_session(found)
    assert now.methods == ("pwd", "otp")
    assert now.second_factor_time == now.auth_time == set_clock.moment
    assert (level_of(facts), level_of(now)) == (1, 2)
    assert made.store.rotate(session_id, set_clock.moment, proof) is None


def test_recovered_session_is_stored_as_such(
    mechanism: Make, set_clock: SetClock
) -> None:
    """A factor that the user has again ends the recovery."""
    made, now = mechanism(), set_clock.moment
    with proven(facts_of([PasswordProof(now), RecoveryCodeProof(now)])):
        session_id = str(made.create_session("abcde"))
    found = made.store.find(session_id)
    assert found is not None
    assert found.recovered
    renewed = made.store.rotate(session_id, now, TotpProof(now))
    found = made.store.find(str(renewed))
    assert found is not None
    assert not found.recovered


def test_session_of_a_login_has_its_client(
    mechanism: Make, set_clock: SetClock
) -> None:
    """A login's has address, program, method and its moment."""

    def login() -> str:
        """Begin a session from a client."""
        set_client(ORIGIN)
        return begin(mechanism)

    found = mechanism().store.find(copy_context().run(login))
    assert found is not None
    assert (found.ip, found.user_agent, found.method) == ORIGIN[:3]
    assert found.authenticated_at == set_clock.moment


def test_handle_finds_no_session_as_a_secret(mechanism: Make) -> None:
    """It is a UUID of its own; neither it nor a digest finds anything."""
    auth, session_id = mechanism(), begin(mechanism)
    handle = handle_of(mechanism, session_id)
    assert uuid.UUID(handle).version == 4
    assert handle != session_id
    for other in (handle, digest_of(session_id), "", "unknown"):
        assert auth.store.find(other) is None
        assert auth.user_id_for_session_id(other) is None
        assert auth.store.end(other, EndReason.REVOKED) is False
    assert session_id not in repr(auth.store.find(session_id))


def test_touch_changes_only_the_last_use(
    mechanism: Make, set_clock: SetClock
) -> None:
    """It changes the last use of one session, and nothing else."""
    store = mechanism().store
    session_id, other = begin(mechanism), begin(mechanism)
    began = set_clock.moment
    set_clock.advance(5)
    store.touch(session_id, set_clock.moment)
    touched, untouched = store.find(session_id), store.find(other)
    assert touched is not None
    assert untouched is not None
    assert touched.last_seen_at == set_clock.moment
    assert touched.created_at == untouched.last_seen_at == began


def test_touch_does_not_revive_an_ended_session(
    mechanism: Make, set_clock: SetClock
) -> None:
    """A use that is noted after the end leaves the session ended."""
    auth, session_id = mechanism(), begin(mechanism)
    store = auth.store
    session = store.find(session_id)
    store.end(session_id, EndReason.REVOKED)
    set_clock.advance(DAY / 2)
    assert auth.owner_of(session_id, session) == "abcde"
    store.touch(session_id, set_clock.moment)
    store.touch("unknown", set_clock.moment)
    assert store.find(session_id) is None
    assert auth.user_id_for_session_id(session_id) is None
    assert sessions_in(store) == []
    assert store.reason(session_id) is EndReason.REVOKED


def test_rotation_replaces_the_secret(
    mechanism: Make, set_clock: SetClock
) -> None:
    """Handle and creation stay; the old secret is invalid."""
    auth, old = mechanism(), begin(mechanism)
    handle, began = handle_of(mechanism, old), set_clock.moment
    set_clock.advance(5)
    new = auth.store.rotate(old, set_clock.moment)
    assert new is not None
    assert new != old
    assert auth.user_id_for_session_id(old) is None
    assert auth.user_id_for_session_id(new) == "abcde"
    found = auth.store.find(new)
    assert found is not None
    assert (found.id, found.created_at) == (handle, began)
    assert found.authenticated_at == found.last_seen_at == set_clock.moment
    assert auth.store.reason(old) is EndReason.ROTATED
    assert auth.store.reason(new) is None
    assert len(sessions_in(auth.store)) == 1


def test_ended_session_is_not_rotated(
    mechanism: Make, set_clock: SetClock
) -> None:
    """An ended session gets no new secret."""
    store, session_id = mechanism().store, begin(mechanism)
    store.end(session_id, EndReason.LOGGED_OUT)
    assert store.rotate(session_id, set_clock.moment) is None
    assert store.rotate("unknown", set_clock.moment) is None
    assert sessions_in(store) == []
    assert store.reason(session_id) is EndReason.LOGGED_OUT


def test_handle_ends_a_session_of_the_named_user(mechanism: Make) -> None:
    """Only if it is the user's; without a user, an admin ends it."""
    auth = mechanism()
    mine, others, third = (begin(mechanism, who) for who in "ABA")
    end, handle = auth.store.end_by_handle, handle_of(mechanism, mine)
    assert end(handle_of(mechanism, others), EndReason.REVOKED, "A") is False
    assert end(handle, EndReason.REVOKED, "unknown") is False
    assert end("unknown", EndReason.REVOKED, "A") is False
    assert end("unknown", EndReason.REVOKED_BY_ADMIN) is False
    assert end(mine, EndReason.REVOKED, "A") is False
    assert len(sessions_in(auth.store)) == 3
    assert end(handle, EndReason.REVOKED, "A") is True
    assert end(handle, EndReason.REVOKED, "A") is False
    by_admin = handle_of(mechanism, others)
    assert end(by_admin, EndReason.REVOKED_BY_ADMIN) is True
    assert auth.store.reason(mine) is EndReason.REVOKED
    assert auth.store.reason(others) is EndReason.REVOKED_BY_ADMIN
    assert auth.user_id_for_session_id(mine) is None
    assert auth.user_id_for_session_id(third) == "A"


def test_all_sessions_of_a_user_end_but_the_kept_one(mechanism: Make) -> None:
    """The one that is kept stays, and so do those of other users."""
    auth = mechanism()
    kept, second, third, other = (begin(mechanism, who) for who in "AAAB")
    handle = handle_of(mechanism, kept)
    end_all = auth.store.end_all
    assert end_all(EndReason.PASSWORD_CHANGED, "A", keep=handle) == 2
    assert end_all(EndReason.PASSWORD_CHANGED, "A", keep=handle) == 0
    assert auth.user_id_for_session_id(kept) == "A"
    assert auth.user_id_for_session_id(other) == "B"
    for gone in (second, third):
        assert auth.user_id_for_session_id(gone) is None
        assert auth.store.reason(gone) is EndReason.PASSWORD_CHANGED
    assert end_all(EndReason.REVOKED, "A") == 1
    begin(mechanism)
    assert end_all(EndReason.REVOKED_BY_ADMIN, keep=handle) == 2
    assert end_all(EndReason.REVOKED_BY_ADMIN) == 0


def test_reason_needs_the_secret_and_lasts_a_day(
    mechanism: Make, set_clock: SetClock
) -> None:
    """A handle or digest gives no reason, nor does a secret after a day."""
    store, session_id = mechanism().store, begin(mechanism)
    handle = handle_of(mechanism, session_id)
    assert store.reason(session_id) is None
    store.end(session_id, EndReason.REVOKED)
    for other in (handle, digest_of(session_id), "unknown", ""):
        assert store.reason(other) is None
    set_clock.advance(DAY)
    assert store.reason(session_id) is EndReason.REVOKED
    store.purge(Limits(), set_clock.moment)
    assert store.reason(session_id) is EndReason.REVOKED
    set_clock.advance(1e-6)
    assert store.reason(session_id) is None


def test_purge_deletes_expired_reasons(
    any_database: str, set_clock: SetClock
) -> None:
    """A purge deletes the reasons that are older than a day."""
    store = DatabaseStore()
    for age in range(2):
        UserSession(user_id="abcde", session_id=str(age)).save()
        store.end(str(age), EndReason.REVOKED)
        set_clock.advance(1)
    set_clock.advance(DAY - 1)
    store.purge(Limits(), set_clock.moment)
    left = database().fetch_all(select(ENDED_SESSIONS.c.session_digest))
    assert [row.session_digest for row in left] == [digest_of("1")]


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(duration=MINUTE), EndReason.EXPIRED),
        (Limits(max_age=MINUTE), EndReason.EXPIRED),
        (Limits(idle=MINUTE), EndReason.IDLE_TIMEOUT),
    ],
    ids=["duration", "max_age", "idle"],
)
def test_purge_stores_the_reason(
    mechanism: Make, set_clock: SetClock, limits: Limits, reason: EndReason
) -> None:
    """Expired sessions go, with a reason; one at its last moment stays."""
    auth = mechanism()
    dead = begin(mechanism)
    set_clock.advance(1e-6)
    live = begin(mechanism)
    set_clock.advance(60)
    assert auth.store.purge(limits, set_clock.moment) == 1
    assert auth.store.purge(limits, set_clock.moment) == 0
    assert auth.store.reason(dead) is reason
    assert auth.store.reason(live) is None
    assert [s.id for s in sessions_in(auth.store)] == [
        handle_of(mechanism, live)
    ]


def test_purge_keeps_a_session_in_use(
    mechanism: Make, set_clock: SetClock
) -> None:
    """Idleness counts from the last use that was noted."""
    store, session_id = mechanism().store, begin(mechanism)
    set_clock.advance(50)
    store.touch(session_id, set_clock.moment)
    set_clock.advance(60)
    assert store.purge(Limits(idle=MINUTE), set_clock.moment) == 0
    set_clock.advance(1)
    assert store.purge(Limits(idle=MINUTE), set_clock.moment) == 1


def test_unused_stored_session_is_idle_from_its_creation(
    any_database: str, set_clock: SetClock
) -> None:
    """A script's row has no last use: its creation counts."""
    UserSession(user_id="abcde", session_id="secret").save()
    store, limits = DatabaseStore(), Limits(idle=MINUTE)
    assert store.purge(limits, set_clock.moment + MINUTE) == 0
    set_clock.advance(61)
    assert store.purge(limits, set_clock.moment) == 1
    assert store.reason("secret") is EndReason.IDLE_TIMEOUT


@pytest.mark.parametrize("most", [1, 3])
def test_concurrent_logins_keep_the_session_limit(
    mechanism: Make, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """Twenty logins at once leave exactly as many; others keep theirs."""
    monkeypatch.setenv("MAX_SESSIONS_PER_USER", str(most))
    auth = mechanism()
    other = begin(mechanism, "other")
    ids = at_once(20, lambda _: auth.create_session("abcde"))
    live = [i for i in ids if auth.user_id_for_session_id(i) is not None]
    assert len(live) == len(sessions_in(auth.store, "abcde")) == most
    assert auth.user_id_for_session_id(other) == "other"
    reasons = {auth.store.reason(str(i)) for i in ids if i not in live}
    assert reasons == {EndReason.TOO_MANY_SESSIONS}


def test_oldest_session_ends_at_the_limit(
    mechanism: Make, monkeypatch: pytest.MonkeyPatch, set_clock: SetClock
) -> None:
    """The newest sessions stay."""
    monkeypatch.setenv("MAX_SESSIONS_PER_USER", "2")
    auth, ids = mechanism(), []
    for _ in range(4):
        ids.append(begin(mechanism))
        set_clock.advance(1)
    found = [auth.user_id_for_session_id(each) for each in ids]
    assert found == [None, None, "abcde", "abcde"]
