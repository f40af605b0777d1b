#!/usr/bin/env python3
"""Every page that the routes have, on a server with the demo's data.

Its host is localhost, where pages have passkeys.

The table has an entry for each route of the pages that answers GET: how to
open the page, or why there is none. `unlisted_routes` finds new ones.
"""

import base64
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pytest
from flask import Flask

from tests.browser.browser import Browser
from tests.browser.scenes import PASSWORD, add_session, submit
from tests.mailbox import Mailbox
from tests.ports import free_port
from tests.serving import COOKIE, Server
from vestibule.accounts import totp
from vestibule.accounts.recovery import link_path
from vestibule.accounts.second_factors import begin_app, confirm_app
from vestibule.accounts.users import invite
from vestibule.cli.demo_data import ADMIN, MEMBER, fill
from vestibule.core import clock
from vestibule.core.crypto import new_key
from vestibule.db import engine, mail_search, outgoing_mails, passkeys
from vestibule.db.factors import PASSKEY, Factor
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession
from vestibule.db.outgoing_mails import NewMail
from vestibule.db.passkeys import Passkey
from vestibule.mail.notices import MailKind
from vestibule.web.routes import pages

#: Users of the demo.
USERS = 500


@dataclass(frozen=True)
class Site:
    """A server, and the people and things that its pages are about."""

    server: Server
    admin: User
    member: User
    #: A user with an authenticator app, the app, and the app's seed.
    owner: User
    app_id: str
    seed: bytes
    #: A user with two passkeys, and one of them.
    keeper: User
    passkey_id: str
    #: A user who did not use the invitation yet, and its link's path.
    invited: User
    invitation: str
    #: The handle of a session of the member.
    session: str
    mail: str

    def at(self, address: str) -> str:
        """Return an address with its placeholders replaced."""
        return address.format(
            user=self.member.id,
            invited=self.invited.id,
            invitation=self.invitation,
            session=self.session,
            app=self.app_id,
            passkey=self.passkey_id,
            mail=self.mail,
        )

    def code(self, offset: int = 0) -> str:
        """Return the code that the app shows, some steps from now."""
        return totp.hotp(self.seed, totp.step_at(clock.now()) + offset)


Open = Callable[[Browser, Site], None]


@contextmanager
def demo_site(folder: Path) -> Iterator[Site]:
    """Run a server with mail and second factors on the demo's data."""
    port = free_port()
    settings = Mailbox(folder / "mails").settings() | {
        "AUTH_TYPE": "session_db_auth",
        "AUTHZ_POLICY": "self",
        "PUBLIC_URL": f"http://localhost:{port}",
        "REGISTRATION": "open",
        "SECRETS_KEY": new_key(),
        "SESSION_DURATION": "43200",
        "SESSION_NAME": COOKIE,
        "WEB_PAGES": "on",
    }
    server = Server(folder, API_PORT=str(port), **settings)
    server.url = settings["PUBLIC_URL"]
    with pytest.MonkeyPatch.context() as patch:
        for name in (*settings, "DATABASE_URL"):
            patch.setenv(name, server.env[name])
        server.start()
        for _ in fill(USERS, PASSWORD):
            pass
        site = _populate(server)
        engine.close()
    # Other servers of this process must not get these settings.
    yield site
    assert server.stop() == 0


def _populate(server: Server) -> Site:
    """Store what the demo has not: an app, invitations, mails."""
    admin, member = (
        User.search({"email": email})[0] for email in (ADMIN, MEMBER)
    )
    owner = User(email="owner@example.com", first_name="Olga")
    owner.password = PASSWORD
    owner.save()
    new = begin_app(owner, "phone")
    seed = base64.b32decode(new.key.replace(" ", ""))
    step = totp.step_at(clock.now())
    confirm_app(owner, new.factor.id, totp.hotp(seed, step - 1))
    keeper = User(email="keeper@example.com", first_name="Kim")
    keeper.password = PASSWORD
    keeper.save()
    keys = [add_passkey(keeper, name) for name in ("laptop", "phone")]
    invitations = [invite(f"invited-{n}@example.com") for n in range(30)]
    path = link_path(invitations[0].user, invitations[0].code.code)
    assert path is not None
    mail = NewMail(
        MailKind.TEST, MEMBER, timedelta(hours=1), user_id=member.id
    )
    outgoing_mails.add([mail] * 30)
    mails = mail_search.newest(1, user_id=member.id)
    (session,) = UserSession.newest(member.id, 1)
    return Site(
        server,
        admin,
        member,
        owner,
        new.factor.id,
        seed,
        keeper,
        keys[0],
        invitations[0].user,
        path,
        session.id,
        mails[0].id,
    )


def add_passkey(user: User, name: str) -> str:
    """Store a passkey of `user`, which no device has; return its id."""
    id, now = secrets.token_urlsafe(), clock.now()
    made = Factor(id, user.id, PASSKEY, name, None, now, confirmed_at=now)
    key = Passkey(id, user.id, id, "", 0, True, True, "internal", "localhost")
    assert passkeys.add(made, key, 2, None)
    return id


def public(address: str, status: int = 200) -> Open:
    """Return how to open a page without a session."""
    return lambda browser, site: browser.open(site.at(address), status)


def inside(address: str, status: int = 200, hours: float = 0) -> Open:
    """Return how a member opens a page, `hours` after signing in."""

    def open_page(browser: Browser, site: Site) -> None:
        """Begin a session and open the page."""
        add_session(browser, site.member, hours)
        browser.open(site.at(address), status)

    return open_page


def admin(address: str, hours: float = 0) -> Open:
    """Return how an admin opens a page, `hours` after signing in."""

    def open_page(browser: Browser, site: Site) -> None:
        """Begin a session and open the page."""
        add_session(browser, site.admin, hours)
        browser.open(site.at(address))

    return open_page


def second_step(address: str = "") -> Open:
    """Return how to open the page for the second factor of a login."""

    def open_page(browser: Browser, site: Site) -> None:
        """Give the password, which leads to the page."""
        browser.open("/sign-in")
        browser.fill(email=str(site.owner.email), password=PASSWORD)
        submit(browser, 303)
        browser.expect_path("/account/second-factor")
        if address:
            browser.open(address)

    return open_page


def with_factor(address: str) -> Open:
    """Return how the owner of an app opens a page."""

    def open_page(browser: Browser, site: Site) -> None:
        """Begin a session with both factors, and open the page."""
        begin_with_factors(browser, site.owner, "otp")
        browser.open(site.at(address))

    return open_page


def with_passkey(address: str, hours: float = 0) -> Open:
    """Return how the owner of passkeys opens a page, so long after one."""

    def open_page(browser: Browser, site: Site) -> None:
        """Begin a session with both factors, and open the page."""
        begin_with_factors(browser, site.keeper, "pop", hours)
        browser.open(site.at(address))

    return open_page


def begin_with_factors(
    browser: Browser, user: User, method: str, hours: float = 0
) -> None:
    """Begin a session by the password and a second factor."""
    secret, began = secrets.token_urlsafe(), clock.now()
    began -= timedelta(hours=hours)
    UserSession(
        user_id=user.id,
        session_id=secret,
        created_at=began,
        authenticated_at=began,
        last_seen_at=began,
        second_factor_at=began,
        proof_methods=f"pwd {method}",
        method="password",
    ).save()
    browser.context.add_cookies(
        [{"name": COOKIE, "value": secret, "url": browser.url}]
    )


def new_app(browser: Browser, site: Site) -> None:
    """Begin to enroll an app, whose page has a QR code."""
    inside("/account/factors/add")(browser, site)
    browser.fill(name="tablet")
    submit(browser, 303)
    browser.expect_path("/account/factors/confirm")


def new_codes(browser: Browser, site: Site) -> None:
    """Replace the recovery codes, which the next page shows."""
    with_factor("/account/factors/codes")(browser, site)
    submit(browser, 200)


def added_user(browser: Browser, site: Site) -> None:
    """Add a user; the next page shows the link."""
    admin("/admin/users/add")(browser, site)
    browser.fill(email=f"{secrets.token_hex(6)}@example.com")
    submit(browser, 200)


#: How to open the page of each route; the first word is the route.
PAGES: dict[str, Open] = {
    "/sign-in": public("/sign-in"),
    "/sign-in with an email": public("/sign-in?email=bob@example.com"),
    "/signed-out": public("/signed-out"),
    "/register": public("/register"),
    "/reset": public("/reset"),
    "/account/invitation": public("{invitation}"),
    "/forgot": public("/forgot"),
    "/confirm": public("/confirm#token=x"),
    "/undo": public("/undo#token=x"),
    "/account/factor-reset": public("/account/factor-reset"),
    "/account/second-factor": second_step(),
    "/account/second-factor by a recovery code": second_step(
        "/account/second-factor?use=recovery"
    ),
    "/sign-out": inside("/sign-out"),
    "/account": inside("/account"),
    "/account/name": inside("/account/name"),
    "/account/email": inside("/account/email", hours=1),
    "/account/password": inside("/account/password"),
    "/account/delete": inside("/account/delete", hours=1),
    "/account/welcome": inside("/account/welcome"),
    "/account/activity": inside("/account/activity"),
    "/account/sessions": inside("/account/sessions"),
    "/account/sessions/end": inside("/account/sessions/end?session={session}"),
    "/account/sessions/not-me": inside(
        "/account/sessions/not-me?session={session}"
    ),
    "/account/sessions/end-others": inside("/account/sessions/end-others"),
    "/account/factors": with_factor("/account/factors"),
    "/account/factors without one": inside("/account/factors"),
    "/account/factors/add": inside("/account/factors/add", hours=1),
    "/account/factors/confirm": new_app,
    "/account/factors/rename": with_factor(
        "/account/factors/rename?factor={app}"
    ),
    "/account/factors/remove": with_factor(
        "/account/factors/remove?factor={app}"
    ),
    "/account/factors/codes": with_factor("/account/factors/codes"),
    "/account/factors/codes that are new": new_codes,
    "/account/factors with passkeys": with_passkey("/account/factors"),
    "/account/factors/passkey": with_passkey("/account/factors/passkey"),
    "/account/factors/passkey with a proof": with_passkey(
        "/account/factors/passkey", hours=1
    ),
    "/account/factors/remove for a passkey": with_passkey(
        "/account/factors/remove?factor={passkey}", hours=1
    ),
    "/account/password/remove": with_passkey(
        "/account/password/remove", hours=1
    ),
    "/account/factors/step-up": inside("/account/factors/step-up?level=2"),
    "/account/factors/step-up for a passkey": with_passkey(
        "/account/factors/step-up?phishing-resistant=on&fresh=60", hours=1
    ),
    "/account/factors/step-up for any proof": with_passkey(
        "/account/factors/step-up?fresh=60", hours=1
    ),
    "/account/factors/step-up without a passkey": inside(
        "/account/factors/step-up?phishing-resistant=on"
    ),
    "/admin": admin("/admin"),
    "/admin/gate": admin("/admin/gate"),
    "/admin/overview": admin("/admin/overview"),
    "/admin/users/add": admin("/admin/users/add", hours=1),
    "/admin/users/add with its link": added_user,
    "/admin/users/<user_id>": admin("/admin/users/{user}"),
    "/admin/users/<user_id>/edit": admin("/admin/users/{user}/edit", hours=1),
    "/admin/users/<user_id>/<action>": admin(
        "/admin/users/{user}/disable", hours=1
    ),
    "/admin/users/selected": admin(
        "/admin/users/selected?do=disable&id={user}&id={invited}", hours=1
    ),
    "/admin/invitations": admin("/admin/invitations"),
    "/admin/invitations/<user_id>/revoke": admin(
        "/admin/invitations/{invited}/revoke", hours=1
    ),
    "/admin/sessions": admin("/admin/sessions"),
    "/admin/sessions sorted": admin("/admin/sessions?sort=-last_used"),
    "/admin/sessions/end": admin("/admin/sessions/end?session={session}"),
    "/admin/sessions/end-all": admin("/admin/sessions/end-all", hours=1),
    "/admin/events": admin("/admin/events"),
    "/admin/mails": admin("/admin/mails"),
    "/admin/mails/selected": admin(
        "/admin/mails/selected?do=drop&mail={mail}", hours=1
    ),
    "/admin/figures": admin("/admin/figures"),
    "/admin/figures of a month": admin("/admin/figures?period=month"),
    "/admin/figures as table": admin("/admin/figures?period=month&view=table"),
}
#: Pages whose form only a script can send; they say so without one.
NEEDS_SCRIPT = {
    "/account/factors/passkey",
    "/account/factors/passkey with a proof",
    "/account/factors/step-up for a passkey",
}
#: Routes that answer GET without a page of their own, and why.
NO_PAGE = {
    "/": "redirects",
    "/.well-known/change-password": "redirects",
    "/account/preferences": "redirects",
    "/account/confirmation": "opens the page of its form",
    "/account/notices": "opens the page of its form",
    "/account/sessions/untrust": "opens the page of its form",
    "/admin/zone": "redirects",
    "/vestibule/session": "redirects; its failures are in test_hand_over",
    "/vestibule/sign-out": "redirects",
    "/setup": "needs a database without users; see test_rare_pages",
    "/admin/users/export": "a file",
    "/admin/sessions/export": "a file",
    "/admin/events/export": "a file",
}


def page_routes() -> set[str]:
    """Return the routes of the pages that answer GET, assets aside."""
    app = Flask(__name__, static_folder=None)
    # Importing it adds the views of all pages to the blueprint.
    import_module("vestibule.web.install")
    app.register_blueprint(pages)
    return {
        rule.rule
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and "<name>" not in rule.rule
    }
