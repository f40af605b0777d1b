#!/usr/bin/env python3
"""The admin's desk over HTTP: what it shows, does, and keeps to itself."""

import re
from datetime import timedelta
from urllib.parse import quote

import pytest
from werkzeug.test import TestResponse

from tests.admin_urls import admin_urls
from tests.app.api.conftest import Build
from tests.app.api.house import PASSWORD, House, stored_user
from tests.app.web.visitor import Page, Visitor
from tests.clocks import SetClock
from tests.threads import at_once
from vestibule.accounts.users import set_role
from vestibule.audit.writer import SESSIONS, audit_writer
from vestibule.core import clock
from vestibule.db import events, hourly_counts
from vestibule.db.events import Event
from vestibule.db.hourly_counts import Bucket, hour_of
from vestibule.db.models.user import User
from vestibule.web.admin.statistics import HEIGHT, bar_chart
from vestibule.web.admin.user_actions import USER_ACTIONS

EVIL = "<b onclick=alert(1)>\u202e%_'\""


@pytest.fixture
def house(build: Build, moved_clock: SetClock) -> House:
    """Return a house with pages."""
    return build("session_db_auth", WEB_PAGES="on")


def signed_in(house: House, user: User, **headers: str) -> Visitor:
    """Return the browser of a user who is signed in."""
    visitor = Visitor(house, **headers)
    visitor.post("/sign-in", {"email": user.email, "password": PASSWORD})
    return visitor


def shown(visitor: Visitor, path: str, status: int = 200) -> str:
    """Return the words of a page, with single blanks."""
    answer = visitor.get(path)
    assert answer.status_code == status, path
    return " ".join(Page(answer).text.split())


def test_a_member_learns_nothing(house: House) -> None:
    """Each address of the application answers as one that leads nowhere
    does, word for word, and does nothing.
    """
    victim, member = stored_user(), stored_user()
    set_role(stored_user(), "admin")
    visitor = signed_in(house, member)
    other = signed_in(house, victim)
    (session,) = house.mechanism.store.listed(victim.id)
    paths = list(
        admin_urls(
            house.app.url_map,
            user_id=(victim.id, "nobody"),
            action=(*USER_ACTIONS, "nothing"),
        )
    )
    assert len(paths) > 2 * len(USER_ACTIONS) + 5
    for method in ("GET", "POST", "OPTIONS"):
        nothing = ""
        for path in ("/admin/nowhere", "/admin/", *paths):
            answer = visitor.client.open(
                path,
                method=method,
                headers=visitor.headers,
                query_string={"session": session.id},
                data={
                    "password": PASSWORD,
                    "name": "Vestibule",
                    "session": session.id,
                    "email": "new@example.com",
                },
            )
            assert answer.status_code == 403, (method, path)
            nothing = nothing or answer.text
            assert answer.text == nothing, (method, path)
            assert "Allow" not in answer.headers
        assert not re.search(f"/admin|{victim.id}|{victim.email}", nothing)
    assert "/admin" not in visitor.get("/account").text
    assert User.get(victim.id) == victim
    assert User.count() == 3
    assert house.mechanism.store.count() == 2
    assert other.get("/account").status_code == 200


def test_users_are_found(house: House) -> None:
    """By what is typed; what cannot be meant is said at its field."""
    admin = stored_user("admin", "chief@example.com")
    user = stored_user(email="ada@example.com")
    user.first_name = EVIL
    user.save()
    visitor = signed_in(house, admin)
    assert audit_writer().flush()
    text = shown(visitor, "/admin?q=ADA")
    assert "ada@example.com" in text and "chief" not in text
    assert "Never signed in" in text and EVIL in text
    text = shown(visitor, "/admin?role=admin&disabled=no&signed_in=yes")
    assert "chief@example.com Administrator" in text
    assert "ada@" not in text
    for query in (f"q={quote(EVIL)}", "q=%25", "q=_", f"q={'x' * 256}"):
        assert shown(visitor, f"/admin?{query}")
    for query, told in (
        (f"q={'x' * 10_000}", "This value is not valid."),
        ("role=king", "does not belong to this list"),
        ("after=forged", "does not belong to this list"),
    ):
        text = shown(visitor, f"/admin?{query}", 400)
        assert told in text or "No results" in text
    assert "No results." in shown(visitor, "/admin?q=%25")


def test_lists_are_leafed_through(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By links that keep the filter, and back to the first page."""
    for module in ("users", "sessions", "events"):
        monkeypatch.setattr(f"vestibule.web.admin.{module}.PAGE_ROWS", 1)
    admin = stored_user("admin")
    stored_user()
    visitor = signed_in(house, admin)
    signed_in(house, admin)
    assert audit_writer().flush()
    for path in (
        "/admin?q=@",
        "/admin",
        f"/admin/sessions?user={admin.id}",
        "/admin/events?kind=login",
    ):
        answer = visitor.get(path)
        (link,) = [
            str(given["href"])
            for tag, given in Page(answer).elements
            if tag == "a" and given.get("rel") == "next"
        ] or [""]
        if path == "/admin?q=@":
            # No email begins so.
            assert link == ""
            continue
        assert "after=" in link
        text = shown(visitor, link)
        assert "First page" in text and "No results" not in text
        assert (
            visitor.get(
                link.replace("?", "?network=192.0.2.1&q=x&")
            ).status_code
            == 400
        )


def done(visitor: Visitor, user: User, deed: str, status: int = 303) -> str:
    """Ask for a deed, do it, and return the words of what comes then."""
    path = f"/admin/users/{user.id}/{deed}"
    assert user.email and user.email in shown(visitor, path)
    answer = visitor.post(path)
    assert answer.status_code == status, answer.text
    if status == 303:
        answer = visitor.follow(answer)
    return " ".join(Page(answer).text.split())


def test_what_is_done_to_a_user(house: House) -> None:
    """Each deed is asked about, done, and told."""
    user, admin = stored_user(), stored_user("admin")
    other = signed_in(house, user)
    visitor = signed_in(house, admin)
    assert "The sessions were ended" in done(visitor, user, "end-sessions")
    assert other.get("/account").status_code == 303
    assert "was disabled" in done(visitor, user, "disable")
    assert house.log_in(user)[1].status_code == 401
    assert "can sign in again" in done(visitor, user, "enable")
    assert "role was changed" in done(visitor, user, "make-admin")
    assert "role was changed" in done(visitor, user, "make-member")
    assert "Sign-in was unlocked" in done(visitor, user, "unlock")
    text = done(visitor, user, "code", 200)
    code = re.search(r"(?:[0-9A-Z]{4}-){6}[0-9A-Z]{4}", text)
    assert code is not None
    used = Visitor(house).post(
        "/reset",
        {
            "email": user.email,
            "code": code[0],
            "new_password": "violet umbrella 7",
        },
    )
    assert used.status_code == 303
    assert "user was deleted" in done(visitor, user, "delete")
    for path in ("", "/delete", "/code"):
        assert visitor.get(f"/admin/users/{user.id}{path}").status_code == 404
    late = visitor.post(f"/admin/users/{user.id}/disable")
    assert "already" in visitor.follow(late).text
    assert visitor.get(f"/admin/users/{admin.id}/kill").status_code == 404


@pytest.mark.parametrize("user_id", ["zo\u00eb \u2615", "50% #1?", "%2e"])
def test_any_id_leads_to_its_page(house: House, user_id: str) -> None:
    """A script gives the ids that it likes; headers take ASCII alone."""
    user = User(id=user_id, email="ada@example.com")
    user.save()
    visitor = signed_in(house, stored_user("admin"))
    own = f"/admin/users/{quote(user_id, safe='')}"
    answer = visitor.post(f"{own}/make-admin")
    assert answer.headers["Location"] == own
    assert "ada@example.com" in Page(visitor.follow(answer)).text
    house.mechanism.create_session(user_id)
    (one,) = house.mechanism.store.listed(user_id)
    answer = visitor.post("/admin/sessions/end", {"session": one.id})
    assert answer.headers["Location"] == own
    assert "The session was ended" in Page(visitor.follow(answer)).text


def test_several_admins_change_one_user_at_once(house: House) -> None:
    """Each is told what is so, and the user is whole or gone."""
    deeds = (
        "disable",
        "make-admin",
        "enable",
        "end-sessions",
        "delete",
        "make-member",
        "unlock",
        "delete",
    )
    admins = [stored_user("admin") for _ in deeds[:2]]
    visitors = [
        signed_in(house, admins[number % 2]) for number in range(len(deeds))
    ]
    for number in (8, 4):
        user = stored_user()
        paths = [f"/admin/users/{user.id}/{deed}" for deed in deeds]

        def do(each: int, paths: list[str] = paths) -> TestResponse:
            """Do one of the deeds."""
            return visitors[each].post(paths[each])

        answers = at_once(number, do)
        assert {answer.status_code for answer in answers} == {303}
        stored = User.get(user.id)
        assert (stored is None) == (number == 8)
        if stored is not None:
            assert stored.role == "admin"
            assert stored.password == user.password
        text = visitors[0].follow(answers[0]).text
        assert "The user was disabled" in text or "already" in text


def test_the_last_admin_stays(house: House) -> None:
    """Whatever an admin does to himself, and what he is told."""
    admin = stored_user("admin")
    visitor = signed_in(house, admin)
    for deed in ("disable", "make-member", "delete"):
        assert "last administrator" in done(visitor, admin, deed, 409)
    stored_user("admin")
    answer = visitor.post(f"/admin/users/{admin.id}/make-member")
    assert answer.headers["Location"] == "/"
    assert visitor.get("/admin").status_code == 403


def test_a_thief_of_a_session_does_nothing(
    house: House, moved_clock: SetClock
) -> None:
    """What changes something asks for the password, and takes no other."""
    user, admin = stored_user(), stored_user("admin")
    visitor = signed_in(house, admin)
    signed_in(house, user)
    (one,) = house.mechanism.store.listed(user.id)
    moved_clock.advance(301)
    ends = "/admin/sessions/end"
    forms = [
        *((f"/admin/users/{user.id}/{deed}", {}) for deed in USER_ACTIONS),
        ("/admin/users/add", {"email": "new@example.com"}),
        (ends, {"session": one.id}),
        ("/admin/sessions/end-all", {"name": "vestibule"}),
    ]
    for path, form in forms:
        for password, status in (("", 400), ("wrong", 401)):
            answer = visitor.post(path, {**form, "password": password})
            assert answer.status_code == status, path
            assert "password" in Page(answer).fields()
    assert User.get(user.id) == user and User.count() == 2
    assert house.mechanism.store.count() == 2
    answer = visitor.post(ends, {"session": one.id, "password": PASSWORD})
    assert "The session was ended" in visitor.follow(answer).text
    answer = visitor.post(ends, {"session": one.id})
    assert "had already ended" in visitor.follow(answer).text
    assert visitor.get(f"{ends}?session={one.id}").status_code == 303


def test_somebody_is_added(house: House) -> None:
    """The code is on the page; what is wrong is at its field."""
    visitor = signed_in(house, stored_user("admin"))
    for email, told in (("", "fill this in"), ("x", "not an email")):
        answer = visitor.post("/admin/users/add", {"email": email})
        assert answer.status_code == 400 and told in answer.text
    answer = visitor.post(
        "/admin/users/add",
        {
            "email": "new@example.com",
            "first_name": "New",
            "last_name": "",
        },
    )
    assert answer.status_code == 200
    assert re.search(r"(?:[0-9A-Z]{4}-){6}[0-9A-Z]{4}", answer.text)
    (new,) = User.search({"email": "new@example.com"})
    assert (new.first_name, new.last_name, new.password) == (
        "New",
        None,
        None,
    )
    answer = visitor.post("/admin/users/add", {"email": new.email})
    assert "already has an account" in answer.text


def test_everybody_is_signed_out(house: House) -> None:
    """Once the name of the service was typed, and not before."""
    other = signed_in(house, stored_user())
    visitor = signed_in(house, stored_user("admin"))
    path = "/admin/sessions/end-all"
    assert "Type Vestibule to confirm" in shown(visitor, path)
    for name in ("", "yes"):
        answer = visitor.post(path, {"name": name})
        assert answer.status_code == 400
    assert other.get("/account").status_code == 200
    answer = visitor.post(path, {"name": " VESTIBULE "})
    assert answer.status_code == 303
    for each in (other, visitor):
        assert each.get("/account").status_code == 303


def test_one_user_and_what_happened(house: House) -> None:
    """Data, sessions, failures and events, with who did them."""
    user = stored_user()
    Visitor(house).post("/sign-in", {"email": user.email, "password": "x"})
    signed_in(house, user, **{"User-Agent": "curl/8.5.0"})
    admin = stored_user("admin")
    visitor = signed_in(house, admin)
    done(visitor, user, "make-admin")
    assert audit_writer().flush()
    text = shown(visitor, f"/admin/users/{user.id}")
    assert "Failed attempts A wrong password was entered Check this" in text
    assert "Last sign-in 1 second ago" in text and "curl" in text
    assert f"The role was changed by {admin.email}" in text
    text = shown(visitor, f"/admin/events?user={user.email}&kind=login")
    assert "Signed in" in text and "The role was changed by" not in text
    for query in ("kind=x", "since=x", "network=x", "after=x"):
        assert shown(visitor, f"/admin/events?{query}", 400)
    assert shown(visitor, "/admin/sessions?network=x", 400)
    sent = visitor.get(f"/admin/events/export?format=jsonl&user={user.id}")
    assert sent.mimetype == "application/x-ndjson"
    assert len(sent.text.splitlines()) == 3
    assert visitor.get("/admin/events/export?format=x").status_code == 400


def test_figures_are_drawn(house: House) -> None:
    """Bars, a sentence and a table for each; nothing where nothing is."""
    visitor = signed_in(house, stored_user("admin"))
    assert audit_writer().flush()
    now = clock.now()
    events.insert_events(
        [Event(now - timedelta(hours=2), "throttled", times=7)]
    )
    hourly_counts.set_gauge({Bucket(hour_of(now), SESSIONS): 3})
    for period, slots in (("day", 24), ("week", 28), ("month", 30)):
        answer = visitor.get(f"/admin/figures?period={period}")
        page = Page(answer)
        tags = [tag for tag, _ in page.elements]
        assert tags.count("svg") == 6
        assert tags.count("td") == 6 * slots
        assert tags.count("rect") == 4
        text = " ".join(page.text.split())
        assert "Total: 7. Highest: 7, in the period from " in text
        assert "No data in this period." in text
    assert shown(visitor, "/admin/figures?period=year", 400)


@pytest.mark.parametrize(
    ("values", "top", "heights"),
    [
        ([], 1, []),
        ([None, 0, 0.0], 1, []),
        ([1, None, 3], 5, [24, 72]),
        ([1, 100_000], 100_000, [2, 120]),
        ([0.5], 1, [60]),
    ],
)
def test_bars(
    values: list[float | None], top: float, heights: list[float]
) -> None:
    """As high as their values, at least to be seen, within the picture."""
    plot = bar_chart(values)
    assert plot.top == top
    assert [bar.height for bar in plot.bars] == heights
    assert all(bar.y + bar.height == HEIGHT for bar in plot.bars)
