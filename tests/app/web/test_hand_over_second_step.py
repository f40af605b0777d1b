#!/usr/bin/env python3
"""A hand-over to an application's host after a second factor."""

from urllib.parse import parse_qs, urlsplit

from tests.app.api.service import PASSWORD, Service
from tests.app.web.factor_pages import STEP, Owner, owner, with_key
from tests.app.web.hosts import (
    APP,
    SIGN_IN_HOST,
    WIKI,
    Visitor,
    hosts,
    rows,
)
from tests.clocks import SetClock
from vestibule.core.application_hosts import SESSION_PATH

__all__ = ["hosts", "owner", "with_key"]

PAGE = f"{APP}/page?number=1&name=a%20b"
OTHER = f"{WIKI}/"


def waiting(service: Service, owner: Owner) -> tuple[Visitor, str]:
    """Return a browser that opened `PAGE` and gave the password.

    Beside it, the address that the second step has to lead to.
    """
    visitor = Visitor(service)
    form = visitor.open_page(PAGE)
    (back,) = parse_qs(urlsplit(form).query)["return_to"]
    answer = visitor.post(
        "/sign-in",
        {
            "email": owner.user.email,
            "password": PASSWORD,
            "return_to": back,
        },
        base_url=SIGN_IN_HOST,
    )
    step = urlsplit(answer.headers["Location"])
    assert step.path == STEP
    assert parse_qs(step.query)["return_to"] == [back]
    return visitor, back


def test_password_alone_opens_no_application(
    hosts: Service, owner: Owner
) -> None:
    """Neither a session nor a code exists before the second step."""
    visitor, _ = waiting(hosts, owner)
    assert rows("host_codes") == rows("user_sessions") == 0
    assert not visitor.opens(PAGE)
    assert visitor.open_page(PAGE).startswith(f"{SIGN_IN_HOST}/sign-in?")
    assert visitor.open_page(OTHER).startswith(f"{SIGN_IN_HOST}/sign-in?")
    assert rows("host_codes") == rows("host_sessions") == 0


def test_second_step_leads_to_the_application(
    hosts: Service, owner: Owner
) -> None:
    """A wrong code leads nowhere; the right one opens every host."""
    visitor, back = waiting(hosts, owner)
    form = {"code": "000000", "return_to": back}
    wrong = visitor.post(STEP, form, base_url=SIGN_IN_HOST)
    assert wrong.status_code == 401 and rows("host_codes") == 0
    form["code"] = owner.code()
    handed = visitor.post(STEP, form, base_url=SIGN_IN_HOST)
    url = handed.headers["Location"]
    assert url.startswith(f"{APP}{SESSION_PATH}?code=")
    assert visitor.open_page(url) == PAGE
    assert visitor.ask_gate(PAGE).headers["Remote-User"] == owner.user.id
    assert visitor.open_page(OTHER) == OTHER
    assert rows("user_sessions") == 1


def test_recovery_code_opens_no_application_before_there_is_a_new_app(
    hosts: Service, owner: Owner
) -> None:
    """The browser is led to the page of second factors, and not around."""
    visitor, back = waiting(hosts, owner)
    form = {
        "use": "recovery",
        "recovery_code": owner.recovery[0],
        "return_to": back,
    }
    handed = visitor.post(STEP, form, base_url=SIGN_IN_HOST)
    factors = f"{SIGN_IN_HOST}/account/factors"
    assert visitor.open_page(handed.headers["Location"]) == factors
    for page in (PAGE, OTHER):
        assert not visitor.opens(page)
        assert visitor.open_page(page) == factors


def test_late_second_step_begins_again_and_knows_the_application(
    hosts: Service, owner: Owner, set_clock: SetClock
) -> None:
    """The login has expired; the password leads on to the same page."""
    visitor, back = waiting(hosts, owner)
    set_clock.advance(3600)
    form = {"code": owner.code(), "return_to": back}
    answer = visitor.post(STEP, form, base_url=SIGN_IN_HOST)
    form_again = urlsplit(answer.headers["Location"])
    assert form_again.path == "/sign-in"
    assert parse_qs(form_again.query)["return_to"] == [back]
    assert rows("host_codes") == rows("user_sessions") == 0


def test_second_step_hands_over_to_no_other_address(
    hosts: Service, owner: Owner
) -> None:
    """The address in the form counts, and is checked again."""
    visitor, back = waiting(hosts, owner)
    forged = back.replace(APP, "https://evil.example")
    form = {"code": owner.code(), "return_to": forged}
    answer = visitor.post(STEP, form, base_url=SIGN_IN_HOST)
    assert "evil" not in answer.headers["Location"]
    assert "code=" not in answer.headers["Location"]
    assert rows("host_codes") == 0
