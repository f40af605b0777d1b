#!/usr/bin/env python3
"""Clients that use a service while it is killed, and their journals.

An entry records what the service acknowledged; `None` means that there was no
response, so either may be true.
"""

import threading
from dataclasses import dataclass, field
from random import Random
from typing import Any

import requests

from tests.serving import COOKIE, LOGIN, LOGOUT, USERS, Server

PASSWORD = "H0lbertonSchool98!"


@dataclass
class Account:
    """A user that a client requested: whether it exists, and its id."""

    email: str
    user_id: str = ""
    there: bool | None = None


@dataclass
class Session:
    """A session that was acknowledged: whether it still exists."""

    session_id: str
    account: Account
    there: bool | None = True


@dataclass
class Journal:
    """The requests of one client and what the service acknowledged."""

    accounts: list[Account] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


class Client(threading.Thread):
    """A client that logs in and out, adds and deletes users, until stopped.

    Each client has accounts of its own and sends one request at a time, so its
    journal is complete.
    """

    def __init__(
        self,
        server: Server,
        journal: Journal,
        key: Session,
        chance: Random,
        stop: threading.Event,
    ) -> None:
        """Prepare to act randomly, authenticated by the session `key`."""
        super().__init__(name="client", daemon=True)
        self._server = server
        self._journal = journal
        self._key = key
        self._chance = chance
        self._stopping = stop

    def run(self) -> None:
        """Send one request after another."""
        acts = [self._login] * 3 + [self._logout] * 2
        acts += [self._add] * 2 + [self._delete]
        while not self._stopping.is_set():
            self._chance.choice(acts)()

    def _ask(
        self, expected: int, method: str, path: str, cookie: str, **rest: Any
    ) -> requests.Response | None:
        """Return the acknowledgement, or `None` if there was none."""
        try:
            answer = self._server.request(method, path, cookie, **rest)
        except requests.RequestException:
            self._stopping.wait(0.01)
            return None
        if answer.status_code == expected:
            return answer
        if answer.status_code != 503:
            self._journal.wrong.append(
                f"{method} {path} answered {answer.status_code}"
            )
        return None

    def _login(self) -> None:
        """Log in to an existing account."""
        ours = [one for one in self._journal.accounts if one.there]
        account = self._chance.choice([*ours, self._key.account])
        answer = self._ask(
            200,
            "POST",
            LOGIN,
            "",
            data={"email": account.email, "password": PASSWORD},
        )
        if answer is not None:
            session_id = answer.cookies[COOKIE]
            self._journal.sessions.append(Session(session_id, account))

    def _logout(self) -> None:
        """Log out of one of the sessions."""
        live = [one for one in self._journal.sessions if one.there]
        if live:
            session = self._chance.choice(live)
            session.there = None
            if self._ask(200, "DELETE", LOGOUT, session.session_id):
                session.there = False

    def _add(self) -> None:
        """Add an account with a new email."""
        name = f"{self._chance.getrandbits(64):x}"
        account = Account(f"{name}@hbtn.io")
        self._journal.accounts.append(account)
        answer = self._ask(
            201,
            "POST",
            USERS,
            self._key.session_id,
            json={"email": account.email, "password": PASSWORD},
        )
        if answer is not None:
            account.user_id = answer.json()["id"]
            account.there = True

    def _delete(self) -> None:
        """Delete one of the accounts and thereby its sessions."""
        ours = [one for one in self._journal.accounts if one.there]
        if not ours:
            return
        account = self._chance.choice(ours)
        entries: list[Account | Session] = [account]
        entries += [
            one
            for one in self._journal.sessions
            if one.account is account and one.there is not False
        ]
        for entry in entries:
            entry.there = None
        path = f"{USERS}/{account.user_id}"
        if self._ask(200, "DELETE", path, self._key.session_id):
            for entry in entries:
                entry.there = False
