#!/usr/bin/env python3
"""Selections, the way back, exports and the zone of the admin pages."""

import csv
import io
import re
from datetime import datetime, timedelta, timezone
from urllib.parse import quote

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import PASSWORD, Service, stored_user
from tests.app.web.browser import Browser, Page, signed_in
from tests.app.web.test_admin_pages import shown
from tests.clocks import SetClock
from tests.stored_sessions import sessions_in
from vestibule.accounts.users import disable, set_role
from vestibule.audit.writer import audit_writer
from vestibule.core import clock
from vestibule.db import events
from vestibule.db.events import Event
from vestibule.db.models.user import User

SELECTED = "/admin/users/selected"
LIST = "/admin?q=example&rows=50"


@pytest.fixture
def service(build: Build, set_clock: SetClock) -> Service:
    """Return a service with pages."""
    return build("session_db_auth", WEB_PAGES="on")


def rows(text: str) -> list[list[str]]:
    """Return the rows of a CSV file without its head."""
    return list(csv.reader(io.StringIO(text)))[1:]


def test_selected_users_are_changed_and_the_list_is_back(
    service: Service,
) -> None:
    """Each action is confirmed once, for all of them."""
    users = [stored_user() for _ in range(3)]
    others = [signed_in(service, user) for user in users]
    browser = signed_in(service, stored_user("admin"))
    form = {"id": [user.id for user in users], "back": LIST}
    for action, question in (
        ("end-sessions", "Sign out 3 users?"),
        ("disable", "Disable 3 users?"),
        ("enable", "Enable 3 users?"),
        ("unlock", "Unblock sign-in of 3 users?"),
    ):
        asked = browser.get(SELECTED, query_string={**form, "do": action})
        text = " ".join(Page(asked).text.split())
        assert question in text
        assert all(str(user.email) in text for user in users)
        cancel = [
            given["href"]
            for tag, given in Page(asked).elements
            if tag == "a" and "data-cancel" in given
        ]
        assert cancel == [LIST]
        answer = browser.post(SELECTED, {**form, "do": action})
        assert answer.headers["Location"] == LIST
        assert "Done for all selected users." in browser.follow(answer).text
        is_disabled = action == "disable"
        for user, other in zip(users, others, strict=True):
            stored = User.get(user.id)
            assert stored is not None
            assert (stored.disabled_at is not None) == is_disabled
            assert other.get("/account").status_code == 303


def test_selection_leaves_the_last_admin_and_says_so(
    service: Service,
) -> None:
    """Users who are gone are left out, unknown actions are refused."""
    user, admin = stored_user(), stored_user("admin")
    browser = signed_in(service, admin)
    form = {"id": [admin.id, "gone", user.id], "do": "disable"}
    answer = browser.post(SELECTED, form)
    assert answer.headers["Location"] == "/admin"
    assert "the last administrator" in browser.follow(answer).text
    changed, kept = User.get(user.id), User.get(admin.id)
    assert changed is not None and changed.disabled_at is not None
    assert kept is not None and kept.disabled_at is None
    for nothing, text in (
        ({"do": "disable"}, "Select at least one row first."),
        ({"do": "disable", "id": "gone"}, "was deleted in the meantime."),
    ):
        assert text in browser.follow(browser.post(SELECTED, nothing)).text
        answer = browser.get(SELECTED, query_string=nothing)
        assert text in browser.follow(answer).text
    for action in ("delete", "", "code"):
        answer = browser.post(SELECTED, {"id": user.id, "do": action})
        assert answer.status_code == 404, action


def test_selection_needs_a_recent_password(
    service: Service, set_clock: SetClock
) -> None:
    """The page that asks keeps the selection and the way back."""
    user = stored_user()
    browser = signed_in(service, stored_user("admin"))
    set_clock.advance(301)
    form = {"id": [user.id], "do": "disable", "back": LIST}
    answer = browser.post(SELECTED, form)
    assert answer.status_code == 400
    fields = Page(answer).fields()
    assert fields["id"]["value"] == user.id
    assert fields["back"]["value"] == LIST
    stored = User.get(user.id)
    assert stored is not None and stored.disabled_at is None
    answer = browser.post(SELECTED, {**form, "password": PASSWORD})
    assert answer.headers["Location"] == LIST


def test_several_sessions_end_and_the_list_is_back(service: Service) -> None:
    """The filter and the place stay; other sessions go on."""
    user = stored_user()
    others = [signed_in(service, user) for _ in range(6)]
    browser = signed_in(service, stored_user("admin"))
    handles = [one.id for one in sessions_in(service.mechanism.store, user.id)]
    back = f"/admin/sessions?user={user.id}&rows=50"
    form = {"session": handles[:5], "back": back}
    asked = browser.get("/admin/sessions/end", query_string=form)
    assert "Sign out 5 sessions?" in asked.text
    answer = browser.post("/admin/sessions/end", form)
    assert answer.headers["Location"] == back
    assert "The sessions were signed out." in browser.follow(answer).text
    assert len(sessions_in(service.mechanism.store, user.id)) == 1
    open_ones = [
        other for other in others if other.get("/account").status_code == 200
    ]
    assert len(open_ones) == 1
    answer = browser.post("/admin/sessions/end", form)
    assert "had already ended" in browser.follow(answer).text


@pytest.mark.parametrize(
    "back",
    [
        "https://evil.example/admin",
        "//evil.example/admin",
        "/admin\\evil",
        "/administration",
        "/account",
        "/admin?q=\r\nSet-Cookie: a=b",
        "/admin/\u00e9",
        "/admin?" + "x" * 5_000,
    ],
)
def test_the_way_back_leads_to_admin_pages_only(
    service: Service, back: str
) -> None:
    """Any other address is ignored."""
    user = stored_user()
    browser = signed_in(service, stored_user("admin"))
    answer = browser.post(
        SELECTED, {"id": user.id, "do": "unlock", "back": back}
    )
    assert answer.headers["Location"] == "/admin"


def test_list_is_back_after_a_user_was_deleted(service: Service) -> None:
    """The links of the user's page keep the place of the list."""
    user = stored_user()
    browser = signed_in(service, stored_user("admin"))
    own = f"/admin/users/{user.id}"
    opened = Page(browser.get(own, query_string={"back": LIST}))
    links = {
        str(given["href"]).partition("?")[0]: str(given["href"])
        for tag, given in opened.elements
        if tag == "a" and "href" in given
    }
    assert LIST in links.values()
    asked = Page(browser.get(links[f"{own}/delete"])).fields()
    back = str(asked["back"]["value"])
    assert back.startswith(f"{own}?back=")
    answer = browser.post(f"{own}/make-admin", {"back": back})
    assert answer.headers["Location"] == back
    answer = browser.post(f"{own}/delete", {"back": back})
    assert answer.headers["Location"] == LIST
    assert "The user was deleted." in browser.follow(answer).text


def test_user_is_edited_by_an_admin(service: Service) -> None:
    """Errors are shown at their fields; the values stay."""
    user, other = stored_user(), stored_user()
    browser = signed_in(service, stored_user("admin"))
    path = f"/admin/users/{user.id}/edit"
    assert Page(browser.get(path)).fields()["email"]["value"] == user.email
    form = {"email": other.email, "first_name": "Zo\u00eb", "last_name": ""}
    answer = browser.post(path, form)
    assert answer.status_code == 400
    assert "already has an account" in answer.text
    assert Page(answer).fields()["first_name"]["value"] == "Zo\u00eb"
    for email in ("", "x"):
        assert browser.post(path, {**form, "email": email}).status_code == 400
    unchanged = User.get(user.id)
    assert unchanged is not None and unchanged.first_name is None
    answer = browser.post(path, {**form, "email": "new@example.com"})
    assert answer.headers["Location"] == f"/admin/users/{user.id}"
    assert "The user was changed." in browser.follow(answer).text
    changed = User.get(user.id)
    assert changed is not None
    assert (changed.email, changed.first_name) == (
        "new@example.com",
        "Zo\u00eb",
    )
    assert "new@example.com" in shown(browser, "/admin?q=ZOE")


def test_users_and_sessions_are_exported_with_emails(
    service: Service,
) -> None:
    """All matches or the selected rows; no cell is a formula."""
    user = stored_user(email="ada@example.com")
    user.first_name = "=cmd()"
    user.save()
    stored_user(email="bob@example.com")
    signed_in(service, user, **{"User-Agent": "@SUM(1)"})
    browser = signed_in(service, stored_user("admin"))
    answer = browser.get("/admin/users/export?q=ada@")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    # Excel reads the file as UTF-8 only with a byte order mark.
    for path in ("users", "sessions", "events"):
        sent = browser.get(f"/admin/{path}/export")
        assert sent.data.startswith(b"\xef\xbb\xbf"), path
        assert sent.data.count(b"\xef\xbb\xbf") == 1
    assert audit_writer().flush()
    events_sent = browser.get(
        f"/admin/events/export?user={user.id}&kind=login"
    )
    assert events_sent.text.splitlines()[0].endswith(",times,email,by_email")
    assert rows(events_sent.text)[0][-2:] == ["ada@example.com", ""]
    assert "attachment" in answer.headers["Content-Disposition"]
    ((id, email, first, *_),) = rows(answer.text)
    assert (id, email, first) == (user.id, user.email, "'=cmd()")
    assert len(rows(browser.get("/admin/users/export").text)) == 3
    chosen = browser.get(f"/admin/users/export?id={user.id}&id=gone")
    assert [row[1] for row in rows(chosen.text)] == ["ada@example.com"]
    assert browser.get("/admin/users/export?role=x").status_code == 303
    sent = browser.get(f"/admin/sessions/export?user={user.id}")
    ((handle, _, email, _, agent, *_),) = rows(sent.text)
    assert (email, agent) == ("ada@example.com", "'@SUM(1)")
    sent = browser.get(f"/admin/sessions/export?session={handle}&session=x")
    assert [row[0] for row in rows(sent.text)] == [handle]


def test_chosen_zone_counts_in_rows_filters_and_files(
    service: Service,
) -> None:
    """The zone is named; the filter and the files use it."""
    moment = datetime(2026, 3, 28, 23, 30, 5, tzinfo=timezone.utc)
    events.insert_events([Event(moment, "user_disabled", "x")])
    browser = signed_in(service, stored_user("admin"))
    here = "/admin/events?kind=user_disabled"
    assert "2026-03-28 23:30:05" in shown(browser, here)
    assert "Times: UTC" in shown(browser, here)
    answer = browser.post(
        "/admin/zone", {"zone": "Europe/Paris", "back": here}
    )
    assert answer.headers["Location"] == here
    cookie = answer.headers["Set-Cookie"]
    assert "Max-Age=31536000" in cookie and "HttpOnly" in cookie
    text = shown(browser, here)
    assert "Times: Europe/Paris" in text and "2026-03-29 00:30:05" in text
    for since, is_shown in (("00:30", True), ("00:31", False)):
        text = shown(browser, f"{here}&since=2026-03-29T{since}")
        assert ("00:30:05" in text) == is_shown
    answer = browser.get(f"{here}&since=2026-03-29T00:30")
    value = Page(answer).fields()["since"]["value"]
    assert value == "2026-03-29T00:30:00"
    sent = browser.get(
        "/admin/events/export?format=csv&kind=user_disabled"
        "&since=2026-03-29T00:30"
    )
    assert rows(sent.text)[0][0] == "2026-03-29T00:30:05+01:00"
    sent = browser.get("/admin/users/export")
    assert all(":" in row[5] and "+0" in row[5] for row in rows(sent.text))


@pytest.mark.parametrize(
    "name",
    ["", "Mars/Base", "../etc/passwd", "/etc/passwd", "x" * 99, "\u00e9"],
)
def test_unknown_zone_is_not_kept(service: Service, name: str) -> None:
    """Times stay in UTC, also with a forged cookie."""
    browser = signed_in(service, stored_user("admin"))
    answer = browser.post("/admin/zone", {"zone": name})
    assert "vestibule_zone" not in answer.headers.get("Set-Cookie", "")
    browser.client.set_cookie("vestibule_zone", quote(name))
    assert "Times: UTC" in shown(browser, "/admin")


def test_list_sorts_counts_and_leads_back(service: Service) -> None:
    """Heads are links, filters are chips, and pages lead both ways."""
    for number in range(30):
        stored_user(email=f"u{number:02}@example.com")
    browser = signed_in(service, stored_user("admin", "chief@example.com"))
    answer = browser.get("/admin?q=u&sort=email")
    page = Page(answer)
    assert "30 users" in page.text
    assert "ascending" in [
        given.get("aria-sort") for tag, given in page.elements if tag == "th"
    ]
    links = {
        str(given.get("rel")): str(given["href"])
        for tag, given in page.elements
        if tag == "a" and "rel" in given
    }
    second = Page(browser.get(links["next"]))
    assert "u29@" in second.text and "u00@" not in second.text
    (back,) = [
        str(given["href"])
        for tag, given in second.elements
        if given.get("rel") == "prev"
    ]
    assert "u00@" in browser.get(back).text
    assert "/admin?sort=email" in answer.text
    text = shown(browser, "/admin?q=u&sort=-email&rows=100")
    assert text.index("u29@") < text.index("u00@")
    assert "No users match. Clear filters" in shown(browser, "/admin?q=zzz")
    for query in ("sort=x", "sort=password", "rows=7"):
        status = 200 if query == "rows=7" else 400
        assert browser.get(f"/admin?{query}").status_code == status


def test_events_sort_by_each_column(service: Service) -> None:
    """Each event is shown once in every order."""
    now = clock.now()
    events.insert_events(
        [
            Event(
                now - timedelta(seconds=number),
                ("login", "logout")[number % 2],
                f"user {number}",
                network=f"192.0.2.{number}",
                ip=f"192.0.2.{number}",
            )
            for number in range(30)
        ]
    )
    browser = signed_in(service, stored_user("admin"))
    assert audit_writer().flush()
    for sort in ("time", "-time", "kind", "-kind", "user", "network"):
        found, path = "", f"/admin/events?sort={sort}"
        for _ in range(3):
            page = Page(browser.get(path))
            found += page.text
            following = [
                str(given["href"])
                for _, given in page.elements
                if given.get("rel") == "next"
            ]
            if not following:
                break
            (path,) = following
        for number in range(30):
            shown_once = re.findall(rf"user {number}\b", found)
            assert len(shown_once) == 1, (sort, number)


def test_overview_has_figures_that_lead_to_lists(service: Service) -> None:
    """Failures of today are counted; each figure has a list."""
    disable(stored_user())
    victim = stored_user()
    for _ in range(2):
        Browser(service).post(
            "/sign-in", {"email": victim.email, "password": "x"}
        )
    admin = stored_user()
    set_role(admin, "admin")
    browser = signed_in(service, admin)
    assert audit_writer().flush()
    answer = browser.get("/admin/overview")
    text = " ".join(Page(answer).text.split())
    for figure in (
        "3 Users",
        "1 Disabled users",
        "1 Active sessions",
        "2 Failed attempts",
        "0 Throttled accounts",
    ):
        assert figure in text, text
    for tag, given in Page(answer).elements:
        address = str(given.get("href"))
        if tag == "a" and address.startswith("/admin"):
            assert browser.get(address).status_code == 200
