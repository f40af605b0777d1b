#!/usr/bin/env python3
"""Any order of what people do, done to servers and to their model.

Its law: servers are asked over HTTP alone, each step picks one of them,
and what a step ended is asked of every one of them at once.
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

from tests.e2e.server.accounts import PASSWORD, add_user
from tests.e2e.server.cluster import Cluster
from tests.e2e.server.session_model import (
    IDLE,
    TOUCH,
    Modelled,
    Person,
    SessionModel,
)
from tests.serving import COOKIE
from vestibule.db.models.user_session import UserSession
from vestibule.mechanisms.session_db_auth import SessionDBAuth

LOGIN = "/api/v1/auth_session/login"
LOGOUT = "/api/v1/auth_session/logout"
SESSIONS = "/api/v1/auth_session/sessions"
REFRESH = "/api/v1/auth_session/refresh"
USERS = "/api/v1/users"
ME = f"{USERS}/me"
_WHO = st.integers(0, 1)
#: One of the sessions that were not ended, whoever has it.
_WHICH = st.integers(0, 9)
_HOUR, _DAY, _YEAR = 3600, 86_400, 31_557_600
_STEPS = st.sampled_from(
    [
        1,
        TOUCH - 1,
        TOUCH,
        TOUCH,
        IDLE // 2,
        IDLE // 2,
        IDLE,
        -5,
        -_HOUR,
        _HOUR,
        _DAY,
    ]
)


class SessionMachine(RuleBasedStateMachine):
    """People who use the servers of a town, and what the model expects."""

    secrets: Bundle[str] = Bundle("secrets")

    def __init__(self, town: Cluster) -> None:
        """Prepare to use this town's servers."""
        super().__init__()
        self.town = town
        self.restarts = self.leaps = self.passwords = 0

    @initialize(target=secrets)
    def begin(self) -> Any:
        """Leave nothing of the run before; let two people log in."""
        self.model = SessionModel(self.town.auth_type, self.town.begin())
        self.people = [self._person(), self._person()]
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
        """Log in, perhaps as somebody else, with a cookie: that ends."""
        return self._login(self.people[who], side, secret)

    @rule(secret=secrets, side=_WHO)
    def request(self, secret: str, side: int) -> None:
        """Ask who one is; another server knows of this use."""
        answer = self._ask(side, "GET", ME, secret)
        session = self.model.use(secret)
        if self._passes(answer, secret):
            assert session is not None
            assert answer.json()["id"] == session.owner.id
            self.list_mine(secret, side + 1)

    @rule(secret=secrets, side=_WHO)
    def list_mine(self, secret: str, side: int) -> None:
        """See all live sessions of one's own, and nothing else."""
        answer = self._ask(side, "GET", SESSIONS, secret)
        asking = self.model.use(secret)
        if self._passes(answer, secret):
            assert asking is not None
            self._check_list(answer.json(), asking)

    @rule(seconds=_STEPS)
    def wait(self, seconds: int) -> None:
        """Let time pass, with idleness and ends; or set the clock back."""
        self._move(seconds)

    @rule(which=_WHICH, beyond=st.booleans(), used=st.booleans(), side=_WHO)
    def await_end(
        self, which: int, beyond: bool, used: bool, side: int
    ) -> None:
        """Use a session at its very last moment, or just too late; it ends
        for lack of use, or for its age, `used` as it may be.
        """
        live = [s for s in self.model.kept if self.model.is_live(s)]
        if not live:
            return
        secret = live[which % len(live)]
        session = self.model.kept[secret]
        while used and self.model.would_idle(session):
            self._move_to(self.model.end_of(session))
            self.request(secret, side)
        self._move_to(self.model.end_of(session))
        self._move(int(beyond))
        self.request(secret, side)

    @rule(which=_WHICH, early=st.booleans(), side=_WHO)
    def use_again(self, which: int, early: bool, side: int) -> None:
        """Use a session when its next use is just to be noted, or just
        not yet.
        """
        live = [s for s in self.model.kept if self.model.is_live(s)]
        if live:
            secret = live[which % len(live)]
            self.request(secret, side)
            self._move(TOUCH - early)
            self.request(secret, side)

    @precondition(lambda self: not self.leaps)
    @rule(chance=st.integers(0, 3))
    def leap(self, chance: int) -> None:
        """Seldom, let ten years pass: the calendar has to last."""
        if chance == 3:
            self.leaps += 1
            self._move(10 * _YEAR)

    @precondition(lambda self: self.model.stored)
    @rule()
    def purge(self) -> None:
        """Drop the dead from the database, by a third process: this."""
        SessionDBAuth().purge_expired()
        self.model.purge()

    @rule(secret=secrets, side=_WHO)
    def logout(self, secret: str, side: int) -> None:
        """End the session by its cookie."""
        answer = self._ask(side, "DELETE", LOGOUT, secret)
        self.model.use(secret)
        if self._passes(answer, secret):
            self.model.end(secret, "logged_out")
            self._check_dead()

    @rule(which=_WHICH, other=_WHICH, side=_WHO)
    def revoke(self, which: int, other: int, side: int) -> None:
        """End a session of one's own by its handle, and no other's."""
        secret, ended = self._kept(which), self._kept(other)
        if not (secret and ended):
            return
        asking = self.model.kept[secret].owner
        handles = [
            "of-nobody",
            *(
                one.handle
                for one in self.model.kept.values()
                if one.owner is not asking
            ),
        ]
        for handle in handles:
            path = f"{SESSIONS}/{handle}"
            answer = self._ask(side, "DELETE", path, secret)
            status = 404 if self.model.use(secret) else 403
            assert answer.status_code == status, answer.text
        target = self.model.kept[ended]
        if target.owner is asking:
            path = f"{SESSIONS}/{target.handle}"
            answer = self._ask(side, "DELETE", path, secret)
            if self._passes(answer, secret):
                self.model.end(ended, "revoked")
                self._check_dead()

    @rule(which=_WHICH, side=_WHO)
    def revoke_all_others(self, which: int, side: int) -> None:
        """End all sessions of one's own but this one."""
        if not (secret := self._kept(which)):
            return
        answer = self._ask(side, "DELETE", SESSIONS, secret)
        self.model.use(secret)
        if self._passes(answer, secret):
            ended = self.model.end_others(secret, "revoked")
            assert answer.json() == {"ended": ended}
            self._check_dead()

    @rule(target=secrets, which=_WHICH, side=_WHO)
    def change_password(self, which: int, side: int) -> Any:
        """End all others, and get a new secret for this session."""
        if not (secret := self._kept(which)):
            return multiple()
        self.passwords += 1
        new = f"violet umbrella {self.passwords}"
        owner = self.model.kept[secret].owner
        answer = self._ask(
            side,
            "PUT",
            f"{ME}/password",
            secret,
            json={
                "current_password": owner.password,
                "new_password": new,
            },
        )
        session = self.model.use(secret)
        if not self._passes(answer, secret):
            return multiple()
        assert session is not None
        session.owner.password = new
        self.model.end_others(secret, "password_changed")
        return self._rotated(secret, answer)

    @rule(secret=secrets, side=_WHO)
    def mistype_password(self, secret: str, side: int) -> None:
        """Fail to change a password: nothing ends and nothing begins."""
        answer = self._ask(
            side,
            "PUT",
            f"{ME}/password",
            secret,
            json={
                "current_password": "mistyped",
                "new_password": "kites fly high",
            },
        )
        if self.model.use(secret):
            assert answer.status_code == 401, answer.text
            assert COOKIE not in answer.cookies
        else:
            self._passes(answer, secret)

    @rule(target=secrets, which=_WHICH, side=_WHO)
    def refresh(self, which: int, side: int) -> Any:
        """Prove one's password, and get a new secret for the session."""
        if not (secret := self._kept(which)):
            return multiple()
        answer = self._ask(
            side,
            "POST",
            REFRESH,
            secret,
            data={
                "password": self.model.kept[secret].owner.password,
            },
        )
        self.model.use(secret)
        if not self._passes(answer, secret):
            return multiple()
        return self._rotated(secret, answer)

    @rule(secret=secrets, who=_WHO, side=_WHO)
    def delete_user(self, secret: str, who: int, side: int) -> None:
        """Delete oneself or another; somebody new comes in the place."""
        gone = self.people[who]
        answer = self._ask(side, "DELETE", f"{USERS}/{gone.id}", secret)
        self.model.use(secret)
        if self._passes(answer, secret):
            self.model.remove(gone)
            self.people[who] = self._person()
            self._check_dead()

    @precondition(lambda self: not self.restarts)
    @rule(side=_WHO, how=st.sampled_from(["not", "told", "killed"]))
    def restart(self, side: int, how: str) -> None:
        """Seldom, for it takes long, end a server and start it anew."""
        if how == "not":
            return
        self.restarts += 1
        server = self.town.server(side)
        if how == "killed":
            server.kill()
        else:
            assert server.stop() == 0
        server.start()
        self.model.restart()
        self._check_dead()

    def teardown(self) -> None:
        """See that all servers know of each secret what the model does."""
        if not hasattr(self, "people"):
            return
        for secret in [*self.model.kept, *self.model.ended]:
            for side in range(len(self.town.servers)):
                self.request(secret, side)
        if self.model.stored:
            assert UserSession.count() == len(self.model.kept)

    def _person(self) -> Person:
        """Store a user whom nobody knows yet."""
        user = add_user()
        return Person(user.id, str(user.email), PASSWORD)

    def _move(self, seconds: float) -> None:
        """Move the clock of the servers, and that of the model."""
        self.model.now = self.town.move(seconds)

    def _move_to(self, moment: datetime) -> None:
        """Move both clocks to a moment."""
        self._move((moment - self.model.now).total_seconds())

    def _ask(
        self, side: int, method: str, path: str, secret: str, **rest: Any
    ) -> requests.Response:
        """Return what a server answers to who has this secret."""
        return self.town.server(side).request(method, path, secret, **rest)

    def _passes(self, answer: requests.Response, secret: str) -> bool:
        """Tell whether the answer is a good one; it has to be if, and only
        if, the session is live, and else it has to tell the reason.
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
        answer = self.town.server(side).request(
            "POST",
            LOGIN,
            cookie,
            data={
                "email": who.email,
                "password": who.password,
            },
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["id"] == who.id
        if cookie is not None and self.model.use(cookie):
            self.model.end(cookie, "replaced")
        secret: str = answer.cookies[COOKIE]
        assert secret not in self.model.kept.keys() | self.model.ended.keys()
        mine = self._ask(side + 1, "GET", SESSIONS, secret).json()
        (handle,) = [each["id"] for each in mine if each["current"]]
        self.model.begin(secret, who, handle)
        self._check_list(mine, self.model.kept[secret])
        self._check_dead()
        return secret

    def _check_list(
        self, listed: list[dict[str, Any]], asking: Modelled
    ) -> None:
        """See that somebody's list of sessions is that of the model."""
        model = self.model
        own = [
            model.kept[s] for s in model.of(asking.owner) if model.is_live(s)
        ]
        shown = {each["id"]: each for each in listed}
        assert len(listed) == len(own)
        for one in own:
            each = shown[one.handle]
            assert each["current"] is (one is asking)
            assert each["created_at"] == _written(one.began)
            assert each["last_seen_at"] == _written(one.seen)
            assert each["expires_at"] == _written(model.end_of(one))

    def _kept(self, which: int) -> str | None:
        """Return the secret of a session that nobody ended, if any."""
        kept = list(self.model.kept)
        return kept[which % len(kept)] if kept else None

    def _rotated(self, secret: str, answer: requests.Response) -> str:
        """Take the new secret from an answer; the old one is tried too."""
        new: str = answer.cookies[COOKIE]
        self.model.rotate(secret, new)
        self._check_dead()
        self.request(new, 0)
        self.request(new, 1)
        return new

    def _check_dead(self) -> None:
        """See that what ended is refused by every server, at once."""
        for secret, (_, moment) in self.model.ended.items():
            if moment != self.model.now:
                continue
            for side in range(len(self.town.servers)):
                self._passes(self._ask(side, "GET", ME, secret), secret)


def _written(moment: datetime) -> str:
    """Return a moment as answers have it."""
    return moment.strftime("%Y-%m-%d %H:%M:%S")
