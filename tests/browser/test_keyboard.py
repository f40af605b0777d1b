#!/usr/bin/env python3
"""Every action of the pages by the keyboard alone: Tab, Space, Enter, Esc."""

import base64
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from playwright.sync_api import Locator, Response, expect

from tests.app.web.test_access import documented
from tests.browser.browser import Browser
from tests.browser.conftest import OpenBrowser, add_user
from tests.browser.every_page import (
    Open,
    Site,
    add_passkey,
    admin,
    inside,
    new_app,
    public,
    second_step,
    with_factor,
    with_passkey,
)
from tests.browser.scenes import PASSWORD, store_session
from vestibule.accounts import totp
from vestibule.accounts.permissions import LOCAL
from vestibule.accounts.recovery import (
    factor_reset_link_path,
    issue_code,
    issue_factor_reset,
    link_path,
)
from vestibule.accounts.second_factors import begin_app, confirm_app
from vestibule.accounts.users import invite
from vestibule.core import clock
from vestibule.db.models.user_session import UserSession
from vestibule.web.admin.user_actions import USER_ACTIONS

#: Actions on a user whose answer shows a secret once.
CODES_SHOWN = {"code"}
#: Marks the last form that is sent to an address, if there is one.
_MARK_FORM = """(pattern) => {
    const used = [...document.forms].filter((form) => form.method === "post"
        && new RegExp(pattern).test(new URL(form.action).pathname)).pop();
    used?.setAttribute("data-used", "");
    return Boolean(used);
}"""
#: Stops of Tab until it is sure that a control is never reached.
MAX_STOPS = 400
USER_ACTION = "/admin/users/<user_id>/<action>"
Values = Callable[[Browser, Site], dict[str, str]]


#: What is typed into a field that has no other value.
USUAL = {
    "name": "tablet",
    "new_password": "seven kites and an umbrella",
    "current_password": PASSWORD,
    "password": PASSWORD,
    "token": "x",
}


def nothing(browser: Browser, site: Site) -> dict[str, str]:
    """Return no values beside the usual ones."""
    return {}


def new_email(browser: Browser, site: Site) -> dict[str, str]:
    """Return an email that no account has."""
    return {"email": f"new-{secrets.token_hex(6)}@example.com"}


def of_member(browser: Browser, site: Site) -> dict[str, str]:
    """Return the email of the member."""
    return {"email": str(site.member.email)}


def reset_code(browser: Browser, site: Site) -> dict[str, str]:
    """Return the member's email with a code for a new password."""
    return {
        "email": str(site.member.email),
        "code": issue_code(site.member).code,
    }


def code_of_app(browser: Browser, site: Site) -> dict[str, str]:
    """Return the next code of the owner's app."""
    return {"code": site.code(), "proof_code": site.code()}


def code_on_page(browser: Browser, site: Site) -> dict[str, str]:
    """Return the code of the app whose key the page shows."""
    key = str(browser.page.locator(".key").text_content())
    seed = base64.b32decode(key.replace(" ", ""))
    return {"code": totp.hotp(seed, totp.step_at(clock.now()))}


def open_invitation(browser: Browser, site: Site) -> None:
    """Open the link of a new invitation."""
    invited = invite(f"invited-{secrets.token_hex(6)}@example.com")
    browser.open(str(link_path(invited.user, invited.code.code)))


def open_factor_reset(browser: Browser, site: Site) -> None:
    """Open the link by which the owner removes all factors."""
    code = issue_factor_reset(site.owner, actor=LOCAL).code
    browser.open(str(factor_reset_link_path(site.owner, code)))


def open_password_removal(browser: Browser, site: Site) -> None:
    """Open the page for a user with two passkeys."""
    for name in ("laptop", "phone"):
        add_passkey(site.keeper, name)
    with_passkey("/account/password/remove")(browser, site)


def open_found_users(browser: Browser, site: Site) -> None:
    """Open the list of users with the member alone."""
    admin(f"/admin?q={site.member.email}")(browser, site)


def open_own_invitation(browser: Browser, site: Site) -> None:
    """Open the list of invitations, whose first is a new one."""
    invite(f"invited-{secrets.token_hex(6)}@example.com")
    admin("/admin/invitations")(browser, site)


@dataclass(frozen=True)
class Action:
    """A form: how its page is opened, and what is typed into it."""

    open: Open
    values: Values = nothing
    #: What is pressed before: a check box by Space, others by Enter.
    before: tuple[str, ...] = ()
    #: The status of a form that is answered without a redirect.
    status: int = 303
    options: dict[str, str] = field(default_factory=dict)


def chosen(open: Open, button: str, row: str = "first") -> Action:
    """Return an action on a row of a list, which is confirmed."""
    box = f"main tbody tr:{row}-child input[type='checkbox']"
    return Action(open, before=(box, f"main {button}"))


#: How each form is used; routes with an action of the path come below.
ACTIONS = {
    "/sign-in": Action(public("/sign-in"), of_member),
    "/sign-out": Action(inside("/sign-out")),
    "/register": Action(public("/register"), new_email),
    "/reset": Action(public("/reset"), reset_code),
    "/forgot": Action(public("/forgot"), of_member),
    # The token is in a mail; a wrong one is refused at its field.
    "/confirm": Action(public("/confirm"), status=400),
    "/undo": Action(public("/undo"), status=400),
    "/account/second-factor": Action(second_step(), code_of_app),
    "/account/invitation": Action(open_invitation),
    "/account/factor-reset": Action(open_factor_reset),
    "/account/name": Action(inside("/account")),
    "/account/email": Action(inside("/account/email", hours=1)),
    "/account/confirmation": Action(inside("/account")),
    "/account/notices": Action(
        inside("/account"), before=("input[name='device_notices']",)
    ),
    "/account/password": Action(inside("/account/password")),
    "/account/preferences": Action(inside("/account")),
    "/account/delete": Action(inside("/account/delete", hours=1)),
    "/account/factors/add": Action(inside("/account/factors/add", hours=1)),
    "/account/factors/confirm": Action(new_app, code_on_page, status=200),
    "/account/factors/rename": Action(
        with_factor("/account/factors/rename?factor={app}")
    ),
    "/account/factors/remove": Action(
        with_factor("/account/factors/remove?factor={app}"), code_of_app
    ),
    "/account/factors/codes": Action(
        with_factor("/account/factors/codes"), status=200
    ),
    "/account/password/remove": Action(open_password_removal),
    "/account/sessions/end": Action(
        inside("/account/sessions/end?session={session}")
    ),
    "/account/sessions/not-me": Action(
        inside("/account/sessions/not-me?session={session}")
    ),
    "/account/sessions/end-others": Action(
        inside("/account/sessions/end-others")
    ),
    "/account/factors/step-up": Action(
        inside("/account/factors/step-up?fresh=60", hours=1)
    ),
    "/admin/zone": Action(
        admin("/admin/events"), options={"timezone_id": "Europe/Paris"}
    ),
    "/admin/users/selected": chosen(open_found_users, "[value='disable']"),
    "/admin/users/<user_id>/edit": Action(
        admin("/admin/users/{user}/edit", hours=1)
    ),
    "/admin/users/add": Action(
        admin("/admin/users/add"), new_email, status=200
    ),
    "/admin/invitations/<user_id>/revoke": Action(
        open_own_invitation, before=("[formaction$='/revoke']",)
    ),
    "/admin/sessions/end": chosen(
        admin("/admin/sessions?user={user}"), ".bulk .danger"
    ),
    "/admin/mails/selected": chosen(
        admin("/admin/mails"), "[value='drop']", row="last"
    ),
}
#: Forms that are not sent here, and why.
NOT_SENT = {
    "/setup": "test_first_run",
    "/account/passkey-options": "only scripts send it",
    "/account/factors/passkey-options": "only scripts send it",
    "/account/factors/passkey": "needs a device; see test_passkeys",
    "/account/sessions/untrust": "a plain button; see test_scenes",
    "/admin/sessions/end-all": "it would sign other tests out",
    "/vestibule/sign-out": "a page of an application",
}


def test_every_form_is_sent_or_has_a_reason() -> None:
    """A new form is tested, and no entry is left over."""
    routes = {path for method, path in documented() if method == "POST"}
    assert set(ACTIONS) | {USER_ACTION} | set(NOT_SENT) == routes
    assert not set(ACTIONS) & set(NOT_SENT)


def with_own_people(site: Site) -> Site:
    """Return the site with people whom no other test uses."""
    mark = secrets.token_hex(6)
    member = add_user(f"member-{mark}@example.com", first_name="Mia")
    store_session(member)
    (session,) = UserSession.newest(member.id, 1)
    owner = add_user(f"owner-{mark}@example.com")
    new = begin_app(owner, "phone")
    seed = base64.b32decode(new.key.replace(" ", ""))
    step = totp.step_at(clock.now())
    confirm_app(owner, new.factor.id, totp.hotp(seed, step - 1))
    return replace(
        site,
        member=member,
        keeper=member,
        session=session.id,
        owner=owner,
        app_id=new.factor.id,
        seed=seed,
    )


class Keyboard:
    """The keyboard of a browser, and what it has the focus on."""

    def __init__(self, browser: Browser) -> None:
        """Use the page of `browser`."""
        self._page = browser.page
        self._keys = browser.page.keyboard

    def tab_to(self, control: Locator) -> None:
        """Press Tab until a control has the focus."""
        for _ in range(MAX_STOPS):
            if control.evaluate("one => one === document.activeElement"):
                return
            self._keys.press("Tab")
        raise AssertionError(f"Tab does not reach {control}")

    def press(self, control: Locator) -> None:
        """Tick a check box by Space, or open what a control leads to."""
        self.tab_to(control)
        if control.get_attribute("type") == "checkbox":
            self._keys.press("Space")
            return
        with self._page.expect_navigation():
            self._keys.press("Enter")

    def fill(self, form: Locator, given: dict[str, str]) -> None:
        """Type into the fields of a form that are needed and empty."""
        for each in form.locator("input").all():
            name = str(each.get_attribute("name"))
            is_needed = each.get_attribute("required") is not None
            if not is_needed and name not in given:
                continue
            if each.is_visible() and not each.input_value():
                self.tab_to(each)
                self._keys.type((USUAL | given)[name])

    def send(self, form: Locator) -> Response:
        """Press the button of a form; return the response to it."""
        self.tab_to(form.locator("button:not([type='button'])").first)
        with (
            self._page.expect_navigation(),
            self._page.expect_response(
                lambda response: response.request.method == "POST"
            ) as caught,
        ):
            self._keys.press("Enter")
        return caught.value


def use_form(
    browser: Browser, site: Site, route: str, action: Action
) -> Response:
    """Fill the form of a route in and send it; return the response."""
    pattern = f"{re.sub('<.*?>', '[^/]+', route)}$"
    assert browser.page.evaluate(_MARK_FORM, pattern), "no such form"
    form = browser.page.locator("form[data-used]")
    keyboard = Keyboard(browser)
    keyboard.fill(form, action.values(browser, site))
    answer = keyboard.send(form)
    assert answer.status == action.status, answer.url
    return answer


@pytest.mark.parametrize("route", ACTIONS)
def test_form_is_sent_by_keyboard(
    open_browser_at: OpenBrowser, site: Site, route: str
) -> None:
    """Tab reaches its fields and its button, also after a list."""
    action, own = ACTIONS[route], with_own_people(site)
    browser = open_browser_at(site.server.url, **action.options)
    action.open(browser, own)
    keyboard = Keyboard(browser)
    for selector in action.before:
        keyboard.press(browser.page.locator(selector).first)
    answer = use_form(browser, own, route, action)
    assert answer.request.method == "POST"
    shown = browser.page.locator("[role='status'], [role='alert'], h1").first
    expect(shown).to_be_visible()


@pytest.mark.parametrize(
    # The other action needs the admin's own second factor.
    "name",
    sorted(set(USER_ACTIONS) - {"reset-factors"}),
)
def test_action_on_a_user_is_left_by_esc_and_performed_by_enter(
    open_browser_at: OpenBrowser, site: Site, name: str
) -> None:
    """Esc leads back to the user, as Cancel does."""
    own = with_own_people(site)
    shown = f"/admin/users/{own.member.id}"
    action = Action(
        admin(f"{shown}/{name}", hours=1),
        status=200 if name in CODES_SHOWN else 303,
    )
    browser = open_browser_at(site.server.url)
    action.open(browser, own)
    browser.page.keyboard.press("Escape")
    browser.expect_path(shown)
    browser.page.go_back()
    browser.expect_path(f"{shown}/{name}")
    use_form(browser, own, f"{shown}/{name}", action)
