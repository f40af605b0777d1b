#!/usr/bin/env python3
"""A state machine of session events, run on servers and on their model.

All requests go over HTTP. Each step picks one server, and what a step ended is
checked on every server at once.
"""

from datetime import datetime
from typing import Any

import hypothesis.strategies as st
import requests
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    multiple,
    precondition,
    rule,
)
from sqlalchemy import select

from tests.e2e.server.accounts import PASSWORD, add_user
from tests.e2e.server.cluster import Cluster
from tests.e2e.server.session_model import (
    IDLE,
    TOUCH,
    ModelSession,
    Person,
    SessionModel,
)
from tests.e2e.server.waiting import wait_until
from tests.serving import COOKIE, LOGIN, LOGOUT, ME, REFRESH, SESSIONS, USERS
from vestibule.db.engine import database
from vestibule.db.models.user_session import UserSession
from vestibule.db.tables import USER_SESSIONS
from vestibule.mechanisms.session_db_auth import SessionDBAuth

_WHO = st.integers(0, 1)
#: The number of one of the sessions that were not ended explicitly.
_WHICH = st.integers(0, 9)
_HOUR, _DAY, _YEAR = 3600, 86_400, 31_557_600
_SHORT_STEPS = [1, TOUCH - 1, TOUCH, TOUCH, IDLE // 2, IDLE // 2, IDLE]
_STEPS = st.sampled_from([*_SHORT_STEPS, -5, -_HOUR, _HOUR, _DAY])


class SessionMachine(RuleBasedStateMachine):
    """Events on the servers of a cluster, and what the model expects."""

    secrets: Bundle[str] = Bundle("secrets")

    def __init__(self, cluster: Cluster) -> None:
        """Prepare to use the servers of this cluster."""
        super().__init__()
        self.cluster = cluster
        self.restarts = self.leaps = self.passwords = 0

    @initialize(target=secrets)
    def begin(self) -> Any:
        """Forget the previous run; let two users log in."""
        self.model = SessionModel(self.cluster.auth_type, self.cluster.begin())
        self.people = [self._add_person(), self._add_person()]
        return multiple(
            *(
                self._login(self.people[who], side, None)
                for who, side in ((0, 0), (0, 1), (1, 1))
            )
        )

    @rule(target=secrets, who=_WHO, side=_WHO)
    def login(self, who: int, side: int) -> str:
        """Log in without a cookie."""
        return self._login(self.people[who], side, None)

    @rule(target=secrets, secret=secrets, who=_WHO, side=_WHO)
    def login_again(self, secret: str, who: int, side: int) -> str:
        """Log in with the cookie of a session, which ends."""
        return self._login(self.people[who], side, secret)

    @rule(secret=secrets, side=_WHO)
    def request(self, secret: str, side: int) -> None:
        """Use a session; another server then lists this use."""
        answer = self._ask(side, "GET", ME, secret)
        session = self._use(secret)
        if self._passes(answer, secret):
            assert session is not None
            assert answer.json()["id"] == session.owner.id
            self.list_own(secret, side + 1)

    @rule(secret=secrets, side=_WHO)
    def list_own(self, secret: str, side: int) -> None:
        """List the live sessions of the user, and no others."""
        answer = self._ask(side, "GET", SESSIONS, secret)
        asking = self._use(secret)
        if self._passes(answer, secret):
            assert asking is not None
            self._check_list(answer.json(), asking)

    @rule(seconds=_STEPS)
    def wait(self, seconds: int) -> None:
        """Move the clock forward or backward."""
        self._move(seconds)

    @rule(which=_WHICH, beyond=st.booleans(), used=st.booleans(), side=_WHO)
    def await_end(
        self, which: int, beyond: bool, used: bool, side: int
    ) -> None:
        """Use a session at its last moment, or one second too late; if `used`,
        its age ends it and not the idle timeout.
        """
        live = [s for s in self.model.kept if self.model.is_live(s)]
        if not live:
            return
        secret = live[which % len(live)]
        session = self.model.kept[secret]
        while used and self.model.idle_ends_first(session):
            self._move_to(self.model.expires_at(session))
            self.request(secret, side)
        self._move_to(self.model.expires_at(session))
        self._move(int(beyond))
        self.request(secret, side)

    @rule(which=_WHICH, early=st.booleans(), side=_WHO)
    def use_again(self, which: int, early: bool, side: int) -> None:
        """Use a session just when its use is stored again, or just before."""
        live = [s for s in self.model.kept if self.model.is_live(s)]
        if live:
            secret = live[which % len(live)]
            self.request(secret, side)
            self._move(TOUCH - early)
            self.request(secret, side)

    @precondition(lambda self: not self.leaps)
    @rule(chance=st.integers(0, 3))
    def leap(self, chance: int) -> None:
        """Rarely, move the clock by ten years."""
        if chance == 3:
            self.leaps += 1
            self._move(10 * _YEAR)

    @precondition(lambda self: self.model.stored)
    @rule()
    def purge(self) -> None:
        """Purge expired sessions from this third process."""
        SessionDBAuth().purge_expired()
        self.model.purge()

    @rule(secret=secrets, side=_WHO)
    def logout(self, secret: str, side: int) -> None:
        """Log out with the session's cookie."""
        answer = self._ask(side, "DELETE", LOGOUT, secret)
        self._use(secret)
        if self._passes(answer, secret):
            self.model.end(secret, "logged_out")
            self._check_ended()

    @rule(which=_WHICH, other=_WHICH, side=_WHO)
    def revoke(self, which: int, other: int, side: int) -> None:
        """End a session of the user by its handle, and no other user's."""
        secret, ended = self._kept(which), self._kept(other)
        if not (secret and ended):
            return
        asking = self.model.kept[secret].owner
        foreign = [
            session.handle
            for session in self.model.kept.values()
            if session.owner is not asking
        ]
        for handle in ("unknown", *foreign):
            path = f"{SESSIONS}/{handle}"
            answer = self._ask(side, "DELETE", path, secret)
            status = 404 if self._use(secret) else 403
            assert answer.status_code == status, answer.text
        target = self.model.kept[ended]
        if target.owner is asking:
            path = f"{SESSIONS}/{target.handle}"
            answer = self._ask(side, "DELETE", path, secret)
            if self._passes(answer, secret):
                self.model.end(ended, "revoked")
                self._check_ended()

    @rule(which=_WHICH, side=_WHO)
    def revoke_all_others(self, which: int, side: int) -> None:
        """End all other sessions of the user."""
        if not (secret := self._kept(which)):
            return
        answer = self._ask(side, "DELETE", SESSIONS, secret)
        self._use(secret)
        if self._passes(answer, secret):
            ended = self.model.end_others(secret, "revoked")
            assert answer.json() == {"ended": ended}
            self._check_ended()

    @rule(target=secrets, which=_WHICH, side=_WHO)
    def change_password(self, which: int, side: int) -> Any:
        """Change the password: all others end, this one gets a new secret."""
        if not (secret := self._kept(which)):
            return multiple()
        self.passwords += 1
        new = f"violet umbrella {self.passwords}"
        owner = self.model.kept[secret].owner
        answer = self._put_password(side, secret, owner.password, new)
        session = self._use(secret)
        if not self._passes(answer, secret):
            return multiple()
        assert session is not None
        session.owner.password = new
        self.model.end_others(secret, "password_changed")
        return self._rotated(secret, answer)

    @rule(secret=secrets, side=_WHO)
    def mistype_password(self, secret: str, side: int) -> None:
        """Fail to change the password: no session ends or begins."""
        answer = self._put_password(side, secret, "mistyped", "kites fly high")
        if self._use(secret):
            assert answer.status_code == 401, answer.text
            assert COOKIE not in answer.cookies
        else:
            self._passes(answer, secret)

    @rule(target=secrets, which=_WHICH, side=_WHO)
    def refresh(self, which: int, side: int) -> Any:
        """Reauthenticate: the session gets a new secret."""
        if not (secret := self._kept(which)):
            return multiple()
        form = {"password": self.model.kept[secret].owner.password}
        answer = self._ask(side, "POST", REFRESH, secret, data=form)
        self._use(secret)
        if not self._passes(answer, secret):
            return multiple()
        return self._rotated(secret, answer)

    @rule(secret=secrets, who=_WHO, side=_WHO)
    def delete_user(self, secret: str, who: int, side: int) -> None:
        """Delete a user, who is replaced by a new one."""
        gone = self.people[who]
        answer = self._ask(side, "DELETE", f"{USERS}/{gone.id}", secret)
        self._use(secret)
        if self._passes(answer, secret):
            self.model.remove(gone)
            self.people[who] = self._add_person()
            self._check_ended()

    @precondition(lambda self: not self.restarts)
    @rule(side=_WHO, how=st.sampled_from(["not", "told", "killed"]))
    def restart(self, side: int, how: str) -> None:
        """Rarely, because it is slow, end a server and start it again."""
        if how == "not":
            return
        self.restarts += 1
        server = self.cluster.server(side)
        if how == "killed":
            server.kill()
        else:
            assert server.stop() == 0
        server.start()
        self.model.restart()
        self._check_ended()

    def teardown(self) -> None:
        """Check that all servers agree with the model on each secret."""
        if not hasattr(self, "people"):
            return
        for secret in [*self.model.kept, *self.model.ended]:
            for side in range(len(self.cluster.servers)):
                self.request(secret, side)
        if self.model.stored:
            assert UserSession.count() == len(self.model.kept)

    def _add_person(self) -> Person:
        """Store a new user."""
        user = add_user()
        return Person(user.id, str(user.email), PASSWORD)

    def _move(self, seconds: float) -> None:
        """Move the clock of the servers and of the model."""
        self.model.now = self.cluster.move(seconds)

    def _move_to(self, moment: datetime) -> None:
        """Move both clocks to a moment."""
        self._move((moment - self.model.now).total_seconds())

    def _ask(
        self, side: int, method: str, path: str, secret: str, **rest: Any
    ) -> requests.Response:
        """Return a server's response to a request with this secret."""
        return self.cluster.server(side).request(method, path, secret, **rest)

    def _put_password(
        self, side: int, secret: str, current: str, new: str
    ) -> requests.Response:
        """Return a server's response to a change of the password."""
        body = {"current_password": current, "new_password": new}
        return self._ask(side, "PUT", f"{ME}/password", secret, json=body)

    def _use(self, secret: str) -> ModelSession | None:
        """Record a use in the model; wait until a server has stored it.

        Servers write uses a moment later, and others read them only then.
        """
        before = self.model.kept.get(secret)
        seen = before and before.seen
        session = self.model.use(secret)
        if session is None or session.seen == seen or not self.model.stored:
            return session
        stored = select(USER_SESSIONS.c.last_seen_at).where(
            USER_SESSIONS.c.id == session.handle
        )
        expected = session.seen

        def is_written() -> bool:
            """Return True if the row has the use, or has been deleted."""
            rows = database().fetch_all(stored)
            return not rows or rows[0].last_seen_at == expected

        assert wait_until(10, is_written)
        return session

    def _passes(self, answer: requests.Response, secret: str) -> bool:
        """Check a response; return True if the session is live.

        A live session gets 200, a dead one gets 403 with its reason.
        """
        told = answer.headers.get("Session-Ended")
        if self.model.is_live(secret):
            assert (answer.status_code, told) == (200, None), answer.text
            return True
        why = self.model.refusal(secret)
        assert answer.status_code == 403, answer.text
        assert told == (why and f"reason={why}")
        return False

    def _login(self, who: Person, side: int, cookie: str | None) -> str:
        """Log in; another server knows the new session at once."""
        form = {"email": who.email, "password": who.password}
        answer = self.cluster.server(side).request(
            "POST", LOGIN, cookie, data=form
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["id"] == who.id
        if cookie is not None and self._use(cookie):
            self.model.end(cookie, "replaced")
        secret: str = answer.cookies[COOKIE]
        assert secret not in self.model.kept.keys() | self.model.ended.keys()
        mine = self._ask(side + 1, "GET", SESSIONS, secret).json()
        (handle,) = [each["id"] for each in mine if each["current"]]
        self.model.begin(secret, who, handle)
        self._check_list(mine, self.model.kept[secret])
        self._check_ended()
        return secret

    def _check_list(
        self, listed: list[dict[str, Any]], asking: ModelSession
    ) -> None:
        """Check that a list of sessions equals that of the model."""
        model = self.model
        own = [
            model.kept[s]
            for s in model.secrets_of(asking.owner)
            if model.is_live(s)
        ]
        shown = {each["id"]: each for each in listed}
        assert len(listed) == len(own)
        for one in own:
            each = shown[one.handle]
            assert each["current"] is (one is asking)
            assert each["created_at"] == formatted(one.began)
            assert each["last_seen_at"] == formatted(one.seen)
            assert each["expires_at"] == formatted(model.expires_at(one))

    def _kept(self, which: int) -> str | None:
        """Return the secret of a session that was not ended, if any."""
        kept = list(self.model.kept)
        return kept[which % len(kept)] if kept else None

    def _rotated(self, secret: str, answer: requests.Response) -> str:
        """Return the new secret; check that the old one is refused."""
        new: str = answer.cookies[COOKIE]
        self.model.rotate(secret, new)
        self._check_ended()
        self.request(new, 0)
        self.request(new, 1)
        return new

    def _check_ended(self) -> None:
        """Check that all servers refuse the sessions that just ended."""
        for secret, (_, moment) in self.model.ended.items():
            if moment != self.model.now:
                continue
            for side in range(len(self.cluster.servers)):
                self._passes(self._ask(side, "GET", ME, secret), secret)


def formatted(moment: datetime) -> str:
    """Return a moment as responses show it."""
    return moment.strftime("%Y-%m-%d %H:%M:%S")
