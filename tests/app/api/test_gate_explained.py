#!/usr/bin/env python3
"""What `gate explain` says is what verify does, in 10,000 generated cases."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from werkzeug.test import EnvironBuilder

from tests.app.api.conftest import Build
from tests.app.api.factor_owner import VERIFY, Owner, signed_in
from tests.app.api.service import Service, session_id_of, stored_user
from tests.clocks import SetClock
from tests.serving import COOKIE
from vestibule.accounts.gate import Answer, AskedUrl, explain
from vestibule.core import clock
from vestibule.core.crypto import new_key
from vestibule.core.errors import ConfigurationError
from vestibule.core.gate_rules_file import configured_rules
from vestibule.http.gate import open_gate
from vestibule.http.responses import WSGIApplication
from vestibule.http.verify import ForwardAuth
from vestibule.sessions.facts import SessionFacts, facts_of_session

CASES = 10_000
CASES_OF_A_FILE = 250
HOSTS = ("a.example", "b.example", "a.b.example:8443", "example")
PATTERNS = ("*.example", "a.example", "b.example", "*.b.example:8443")
PATHS = ("/", "/a", "/a/b", "/ab", "/a/b/c", "/x/../a", "/%61", "//a;x/b")
GLOBS = ("/a", "/a/b", "/a*", "/*/b", "/", "/*c", "/ab")
METHODS = ("GET", "POST", "HEAD")
ADDRESSES = ("10.1.2.3", "192.0.2.1", "2001:db8::1", "10.200.0.1")
NETWORKS = ("10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32", "0.0.0.0/0")
ASKED = (
    'access = "open"',
    'access = "deny"',
    'access = "signed-in"',
    "level = 2",
    "fresh = 300",
    "phishing-resistant = true",
    "level = 2\nfresh = 100",
)
OUTCOMES = {
    Answer.PASS: (200, True),
    Answer.ANONYMOUS: (200, False),
    Answer.SIGN_IN: (401, False),
    Answer.STEP_UP: (401, False),
    Answer.DENY: (403, False),
}


class Asker(NamedTuple):
    """A client, and what is known of its session."""

    session_id: str | None
    role: str | None
    facts: SessionFacts | None


def generated_rules(chance: random.Random) -> str:
    """Return a file of rules, which may be one that is refused."""
    text = ""
    for _ in range(chance.randint(1, 6)):
        text += "[[rule]]\n"
        for key, values in (
            ("host", PATTERNS),
            ("path", GLOBS),
            ("method", METHODS),
            ("network", NETWORKS),
            ("role", ("member", "admin")),
        ):
            if chance.random() < 0.45:
                listed = chance.sample(values, chance.randint(1, 2))
                text += f"{key} = {listed}\n"
        text += f"{chance.choice(ASKED)}\n"
    return text


@pytest.fixture
def askers(
    build: Build, monkeypatch: pytest.MonkeyPatch, set_clock: SetClock
) -> Iterator[tuple[Service, list[Asker]]]:
    """Return clients of each role and level, fresh and not."""
    monkeypatch.setenv("SECRETS_KEY", new_key())
    service = build("session_db_auth", TRUSTED_PROXIES="127.0.0.1")
    owner = Owner()
    set_clock.advance(30)
    clients = []
    for _ in range(2):
        clients += [
            (service.client_for(stored_user()), "member"),
            (service.client_for(stored_user("admin")), "admin"),
        ]
        if len(clients) == 2:
            clients.append((signed_in(service, owner), "member"))
            set_clock.advance(200)
    found = [Asker(None, None, None)]
    for client, role in clients:
        session = service.mechanism.store.find(session_id_of(client))
        assert session is not None
        facts = facts_of_session(session)
        found.append(Asker(session_id_of(client), role, facts))
    yield service, found


#: What all requests have in common. A test client would take most of the
#: time of this test.
ENVIRON = EnvironBuilder(
    VERIFY, environ_overrides={"REMOTE_ADDR": "127.0.0.1"}
).get_environ()


def asked(
    application: WSGIApplication, who: Asker, url: tuple[str, ...]
) -> tuple[int, bool]:
    """Return the status of verify, and whether it names a user."""
    environ = dict(ENVIRON)
    (
        environ["HTTP_X_FORWARDED_HOST"],
        environ["HTTP_X_FORWARDED_URI"],
        environ["HTTP_X_FORWARDED_METHOD"],
        environ["HTTP_X_FORWARDED_FOR"],
    ) = url
    if who.session_id is not None:
        environ["HTTP_COOKIE"] = f"{COOKIE}={who.session_id}"
    seen: list[tuple[int, bool]] = []

    def start(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
        """Keep the status, and whether there is a user."""
        seen.append((int(status[:3]), bool(dict(headers).get("Remote-User"))))

    application(environ, start)
    return seen[0]


def gate_of(service: Service) -> ForwardAuth:
    """Return the part of the application that answers verify."""
    found: Any = service.app.wsgi_app
    while not isinstance(found, ForwardAuth):
        found = next(
            cell.cell_contents
            for cell in found.__closure__
            if callable(cell.cell_contents)
        )
    return found


@pytest.mark.slow
def test_explanation_is_the_decision(
    askers: tuple[Service, list[Asker]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each answer is seen, with a cached session and without."""
    service, clients = askers
    chance = random.Random(20)
    file = tmp_path / "rules.toml"
    monkeypatch.setenv("GATE_RULES", str(file))
    gate = gate_of(service)
    seen: dict[Answer, int] = {}
    done = 0
    while done < CASES:
        file.write_text(generated_rules(chance))
        try:
            rules = configured_rules()
        except ConfigurationError:
            continue
        assert rules is not None
        gate._gate = open_gate()
        for _ in range(CASES_OF_A_FILE):
            who = chance.choice(clients)
            url = tuple(
                chance.choice(values)
                for values in (HOSTS, PATHS, METHODS, ADDRESSES)
            )
            told = explain(
                rules,
                AskedUrl(
                    f"https://{url[0]}{url[1]}", url[2], url[3], who.role
                ),
                who.facts,
                clock.now(),
            )
            answer = Answer.DENY if told is None else told.answer
            assert asked(gate, who, url) == OUTCOMES[answer], (who, url, told)
            seen[answer] = seen.get(answer, 0) + 1
            done += 1
    assert min(seen[answer] for answer in Answer) > 100
