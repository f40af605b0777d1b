#!/usr/bin/env python3
"""The admin pages: lists, actions and access."""

import re
from urllib.parse import quote

import pytest
from werkzeug.test import TestResponse

from tests.admin_urls import admin_urls
from tests.app.api.conftest import Build
from tests.app.api.service import PASSWORD, Service, stored_user
from tests.app.web.browser import Browser, Page, signed_in
from tests.clocks import SetClock
from tests.stored_sessions import sessions_in
from tests.threads import at_once
from vestibule.accounts.users import set_role
from vestibule.audit.writer import audit_writer
from vestibule.db.models.user import User
from vestibule.web.admin import lists
from vestibule.web.admin.user_actions import USER_ACTIONS

EVIL = "<b onclick=alert(1)>\u202e%_'\""


@pytest.fixture
def service(build: Build, set_clock: SetClock) -> Service:
    """Return a service with pages."""
    return build("session_db_auth", WEB_PAGES="on")


def shown(browser: Browser, path: str, status: int = 200) -> str:
    """Return a page's text with single spaces."""
    answer = browser.get(path)
    assert answer.status_code == status, path
    return " ".join(Page(answer).text.split())


def test_member_gets_same_403_for_each_admin_address(service: Service) -> None:
    """The response is the one for an unknown address; nothing changes."""
    victim, member = stored_user(), stored_user()
    set_role(stored_user(), "admin")
    browser = signed_in(service, member)
    other = signed_in(service, victim)
    (session,) = sessions_in(service.mechanism.store, victim.id)
    paths = list(
        admin_urls(
            service.app.url_map,
            user_id=(victim.id, "unknown"),
            action=(*USER_ACTIONS, "nothing"),
        )
    )
    assert len(paths) > 2 * len(USER_ACTIONS) + 5
    for method in ("GET", "POST", "OPTIONS"):
        nothing = ""
        for path in ("/admin/nowhere", "/admin/", *paths):
            answer = browser.client.open(
                path,
                method=method,
                headers=browser.headers,
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
    assert "/admin" not in browser.get("/account").text
    assert User.get(victim.id) == victim
    assert User.count() == 3
    assert service.mechanism.store.count() == 2
    assert other.get("/account").status_code == 200


def test_user_search_shows_matches_and_errors(service: Service) -> None:
    """An invalid value is reported at its field."""
    admin = stored_user("admin", "chief@example.com")
    user = stored_user(email="ada@example.com")
    user.first_name = EVIL
    user.save()
    browser = signed_in(service, admin)
    assert audit_writer().flush()
    text = shown(browser, "/admin?q=ADA")
    assert "ada@example.com" in text and "chief" not in text
    assert "Never" in text and EVIL in text
    text = shown(browser, "/admin?role=admin&disabled=no&signed_in=yes")
    assert "chief@example.com" in text
    assert "ada@" not in text
    for query in (f"q={quote(EVIL)}", "q=%25", "q=_", f"q={'x' * 256}"):
        assert shown(browser, f"/admin?{query}")
    for query, told in (
        (f"q={'x' * 10_000}", "This isn't a valid value."),
        ("role=king", "does not belong to this list"),
        ("after=forged", "does not belong to this list"),
    ):
        text = shown(browser, f"/admin?{query}", 400)
        assert told in text or "No users match" in text
    assert EVIL in shown(browser, "/admin?q=%25")


def test_list_pages_keep_filter(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Links lead forward, and back to the first page."""
    monkeypatch.setattr(lists, "PAGE_SIZES", (1, 50))
    admin = stored_user("admin")
    stored_user()
    browser = signed_in(service, admin)
    signed_in(service, admin)
    assert audit_writer().flush()
    for path in (
        "/admin?q=example",
        "/admin",
        f"/admin/sessions?user={admin.id}",
        "/admin/events?kind=login",
    ):
        answer = browser.get(path)
        (link,) = [
            str(given["href"])
            for tag, given in Page(answer).elements
            if tag == "a" and given.get("rel") == "next"
        ] or [""]
        assert "after=" in link
        text = shown(browser, link)
        assert "First page" in text and "match" not in text
        assert (
            browser.get(
                link.replace("?", "?network=192.0.2.1&q=x&")
            ).status_code
            == 400
        )


def do_action(
    browser: Browser, user: User, action: str, status: int = 303
) -> str:
    """Confirm and do an action; return the text of the next page."""
    path = f"/admin/users/{user.id}/{action}"
    assert user.email and user.email in shown(browser, path)
    answer = browser.post(path)
    assert answer.status_code == status, answer.text
    if status == 303:
        answer = browser.follow(answer)
    return " ".join(Page(answer).text.split())


def test_user_action_is_confirmed_done_and_reported(service: Service) -> None:
    """It holds for each action."""
    user, admin = stored_user(), stored_user("admin")
    other = signed_in(service, user)
    browser = signed_in(service, admin)
    assert "The sessions were signed out" in do_action(
        browser, user, "end-sessions"
    )
    assert other.get("/account").status_code == 303
    assert "was disabled" in do_action(browser, user, "disable")
    assert service.log_in(user)[1].status_code == 401
    assert "can sign in again" in do_action(browser, user, "enable")
    assert "role was changed" in do_action(browser, user, "make-admin")
    assert "role was changed" in do_action(browser, user, "make-member")
    assert "Sign-in was unblocked" in do_action(browser, user, "unlock")
    text = do_action(browser, user, "code", 200)
    code = re.search(r"(?:[0-9A-Z]{4}-){6}[0-9A-Z]{4}", text)
    assert code is not None
    used = Browser(service).post(
        "/reset",
        {
            "email": user.email,
            "code": code[0],
            "new_password": "violet umbrella 7",
        },
    )
    assert used.status_code == 303
    assert "user was deleted" in do_action(browser, user, "delete")
    assert "No users match." in shown(browser, f"/admin?q={user.email}")
    for path in ("", "/delete", "/code"):
        assert browser.get(f"/admin/users/{user.id}{path}").status_code == 404
    late = browser.post(f"/admin/users/{user.id}/disable")
    assert "already" in browser.follow(late).text
    assert browser.get(f"/admin/users/{admin.id}/kill").status_code == 404


@pytest.mark.parametrize("user_id", ["zo\u00eb \u2615", "50% #1?", "%2e"])
def test_any_user_id_has_a_page(service: Service, user_id: str) -> None:
    """Scripts choose their ids; headers take only ASCII."""
    user = User(id=user_id, email="ada@example.com")
    user.save()
    browser = signed_in(service, stored_user("admin"))
    own = f"/admin/users/{quote(user_id, safe='')}"
    answer = browser.post(f"{own}/make-admin")
    assert answer.headers["Location"] == own
    assert "ada@example.com" in Page(browser.follow(answer)).text
    service.mechanism.create_session(user_id)
    (one,) = sessions_in(service.mechanism.store, user_id)
    answer = browser.post("/admin/sessions/end", {"session": one.id})
    assert answer.headers["Location"] == own
    assert "The session was signed out" in Page(browser.follow(answer)).text


def test_concurrent_admin_actions_leave_user_consistent(
    service: Service,
) -> None:
    """Each admin is told the current state."""
    actions = (
        "disable",
        "make-admin",
        "enable",
        "end-sessions",
        "delete",
        "make-member",
        "unlock",
        "delete",
    )
    admins = [stored_user("admin") for _ in actions[:2]]
    browsers = [
        signed_in(service, admins[number % 2])
        for number in range(len(actions))
    ]
    for number in (8, 4):
        user = stored_user()
        paths = [f"/admin/users/{user.id}/{action}" for action in actions]

        def do(each: int, paths: list[str] = paths) -> TestResponse:
            """Do one of the actions."""
            return browsers[each].post(paths[each])

        answers = at_once(number, do)
        assert {answer.status_code for answer in answers} == {303}
        stored = User.get(user.id)
        assert (stored is None) == (number == 8)
        if stored is not None:
            assert stored.role == "admin"
            assert stored.password == user.password
        text = browsers[0].follow(answers[0]).text
        assert "The user was disabled" in text or "already" in text


def test_last_admin_cannot_be_removed_or_demoted(service: Service) -> None:
    """The page says why."""
    admin = stored_user("admin")
    browser = signed_in(service, admin)
    for action in ("disable", "make-member", "delete"):
        assert "last administrator" in do_action(browser, admin, action, 409)
        assert " You " in shown(browser, f"/admin/users/{admin.id}/{action}")
    stored_user("admin")
    answer = browser.post(f"/admin/users/{admin.id}/make-member")
    assert answer.headers["Location"] == "/account"
    assert browser.get("/admin").status_code == 403


def test_admin_action_needs_recent_password(
    service: Service, set_clock: SetClock
) -> None:
    """Another user's password is refused."""
    user, admin = stored_user(), stored_user("admin")
    browser = signed_in(service, admin)
    signed_in(service, user)
    (one,) = sessions_in(service.mechanism.store, user.id)
    set_clock.advance(301)
    ends = "/admin/sessions/end"
    forms = [
        *(
            (f"/admin/users/{user.id}/{action}", {})
            for action in USER_ACTIONS
            # No mail is sent here.
            if action != "mail"
        ),
        ("/admin/users/add", {"email": "new@example.com"}),
        (ends, {"session": one.id}),
        ("/admin/sessions/end-all", {"name": "vestibule"}),
    ]
    for path, form in forms:
        for password, status in (("", 400), ("wrong", 401)):
            answer = browser.post(path, {**form, "password": password})
            assert answer.status_code == status, path
            assert "password" in Page(answer).fields()
    assert User.get(user.id) == user and User.count() == 2
    assert service.mechanism.store.count() == 2
    answer = browser.post(ends, {"session": one.id, "password": PASSWORD})
    assert "The session was signed out" in browser.follow(answer).text
    answer = browser.post(ends, {"session": one.id})
    assert "had already ended" in browser.follow(answer).text
    assert browser.get(f"{ends}?session={one.id}").status_code == 303


def test_added_user_gets_code_on_page(service: Service) -> None:
    """An error is shown at its field."""
    browser = signed_in(service, stored_user("admin"))
    for email, told in (("", "fill this in"), ("x", "not an email")):
        answer = browser.post("/admin/users/add", {"email": email})
        assert answer.status_code == 400 and told in answer.text
    answer = browser.post(
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
    answer = browser.post("/admin/users/add", {"email": new.email})
    assert "already has an account" in answer.text


def test_signing_out_all_users_needs_confirmation(service: Service) -> None:
    """The admin has to type the name of the service."""
    other = signed_in(service, stored_user())
    browser = signed_in(service, stored_user("admin"))
    path = "/admin/sessions/end-all"
    assert "Type Vestibule to confirm" in shown(browser, path)
    for name in ("", "yes"):
        answer = browser.post(path, {"name": name})
        assert answer.status_code == 400
        told = "This is not the name of the service." in answer.text
        assert told == bool(name)
    assert other.get("/account").status_code == 200
    answer = browser.post(path, {"name": " VESTIBULE "})
    assert answer.status_code == 303
    for each in (other, browser):
        assert each.get("/account").status_code == 303


def test_user_page_shows_data_sessions_failures_and_events(
    service: Service,
) -> None:
    """Events show who acted."""
    user = stored_user()
    Browser(service).post("/sign-in", {"email": user.email, "password": "x"})
    signed_in(service, user, **{"User-Agent": "curl/8.5.0"})
    admin = stored_user("admin")
    browser = signed_in(service, admin)
    do_action(browser, user, "make-admin")
    assert audit_writer().flush()
    text = shown(browser, f"/admin/users/{user.id}")
    assert "A wrong password was entered Review" in text
    assert re.search(r"Last sign-in \d{4}-\d\d-\d\d ", text) and "curl" in text
    assert f"The role was changed by {admin.email}" in text
    text = shown(browser, f"/admin/events?user={user.email}&kind=login")
    assert "Signed in" in text and "The role was changed by" not in text
    for query in ("kind=x", "since=x", "network=x", "after=x"):
        assert shown(browser, f"/admin/events?{query}", 400)
    assert shown(browser, "/admin/sessions?network=x", 400)
    sent = browser.get(f"/admin/events/export?format=jsonl&user={user.id}")
    assert sent.mimetype == "application/x-ndjson"
    assert len(sent.text.splitlines()) == 3
    assert browser.get("/admin/events/export?format=x").status_code == 400
