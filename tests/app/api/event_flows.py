#!/usr/bin/env python3
"""For each event of the security log, the requests that cause it."""

import base64
from collections.abc import Callable
from typing import Any

from sqlalchemy import select

from tests.app.api.factor_owner import Owner
from tests.app.api.service import (
    NEW,
    PASSWORD,
    RESET,
    Service,
    session_id_of,
    stored_user,
)
from tests.clocks import SetClock
from tests.mailbox import Mailbox, code_of, token_of
from tests.serving import (
    LOGOUT,
    ME,
    REFRESH,
    SESSIONS,
    USERS,
)
from tests.soft_authenticator import SoftAuthenticator
from vestibule.accounts import totp
from vestibule.accounts.recovery import issue_code
from vestibule.audit.log import EventType
from vestibule.db import mail_search
from vestibule.db.engine import database
from vestibule.db.factor_tables import TRUSTED_BROWSERS
from vestibule.db.models.user import User
from vestibule.db.outgoing_mails import add
from vestibule.mail.notices import MailKind, notices


class Scene:
    """An application with a user, an admin and their clients."""

    def __init__(
        self, service: Service, clock: SetClock, mailbox: Mailbox
    ) -> None:
        """Log in the user and the admin; `mailbox` gets their mails."""
        self.service, self.clock, self.mailbox = service, clock, mailbox
        self.user = stored_user()
        self.admin = stored_user("admin")
        #: Tokens and codes of delivered mails.
        self.mailed: tuple[str, ...] = ()
        self.client = service.client_for(self.user)
        self.chief = service.client_for(self.admin)
        self.path = f"{USERS}/{self.user.id}"
        (own,) = self.client.get(SESSIONS).get_json()
        self.handle = own["id"]

    def fail(self, times: int) -> None:
        """Log in with a wrong password several times."""
        for _ in range(times):
            self.service.log_in(self.user, "a wrong password")

    def log_in_disabled(self) -> None:
        """Let the admin disable the user, who then logs in."""
        self.chief.put(f"{self.path}/disabled", json={"disabled": True})
        self.service.log_in(self.user)

    def replay(self) -> None:
        """Send the cookie of a session that ended."""
        session_id = session_id_of(self.client)
        self.client.delete(LOGOUT)
        self.service.client_with_session(session_id).get(ME)

    def unlock(self) -> None:
        """Fail to log in, and let the admin reset the failures."""
        self.fail(1)
        self.chief.delete(f"{self.path}/failures")

    def revoke_invitation(self) -> None:
        """Let the admin invite a user, and revoke that."""
        made = self.chief.post(
            "/api/v1/admin/users", json={"email": "ada@example.com"}
        ).get_json()
        self.invited = made["user"]["id"]
        self.chief.delete(f"/api/v1/admin/invitations/{self.invited}")

    def enroll(self) -> "Scene":
        """Enroll an app of the user; a minute passes; return the scene."""
        new = self.client.post(FACTORS, json={"name": "phone"}).get_json()
        self.factor = f"{FACTORS}/{new['id']}"
        self.seed = base64.b32decode(new["key"].replace(" ", ""))
        answer = self.client.post(f"{self.factor}/confirm", json=self.code())
        self.codes = answer.get_json()["recovery_codes"]
        self.clock.advance(60)
        return self

    def code(self, step: int = 0) -> dict[str, str]:
        """Return the code of the app, some steps from now, as a body."""
        now = totp.step_at(self.clock.moment)
        return {"code": totp.hotp(self.seed, now + step)}

    def second_factor(self, *bodies: dict[str, str]) -> None:
        """Enroll an app, log in, and give these as the second factor."""
        self.enroll()
        client, _ = self.service.log_in(self.user)
        for body in bodies or ({"code": "12345"},):
            client.post(SECOND_FACTOR, data=body)

    def switch_off(self) -> None:
        """Enroll an app, and mistype its code fifty times."""
        self.enroll()
        for _ in range(50):
            self.clock.advance(900)
            client, _ = self.service.log_in(self.user)
            client.post(SECOND_FACTOR, data={"code": "12345"})

    def refuse_passkey(self) -> None:
        """Sign in with a passkey that no user has."""
        options = self.service.client().post(f"{PASSKEY}/options")
        answer = SoftAuthenticator().get(options.get_json())
        self.service.client().post(PASSKEY, json={"passkey": answer})

    def trust(self) -> None:
        """Enroll an app, log in with it, and trust the browser."""
        self.enroll()
        client, _ = self.service.log_in(self.user)
        client.post(SECOND_FACTOR, data=self.code() | {"trust": "on"})
        ((self.trusted,),) = database().fetch_all(
            select(TRUSTED_BROWSERS.c.id)
        )

    def reset_factors(self) -> None:
        """Enroll an app, and remove it by a code of the admin.

        The admin has an app too, and gave its code.
        """
        self.enroll()
        owner = Owner(self.admin)
        self.clock.advance(30)
        self.chief.post(f"{FACTORS}/proof", json={"code": owner.code()})
        issued = self.chief.post(f"{self.path}/factor-reset").get_json()
        self.service.client().post(
            "/api/v1/auth_session/factor-reset",
            json={
                "email": self.user.email,
                "password": PASSWORD,
                "code": issued["code"],
            },
        )

    def recover(self) -> None:
        """Log in with a recovery code."""
        self.enroll()
        client, _ = self.service.log_in(self.user)
        code = {"recovery_code": self.codes[0]}
        client.post(SECOND_FACTOR, data=code)

    def ask_for_reset(self) -> None:
        """Ask for a mail that sets a new password, and deliver it."""
        self.service.client().post(FORGOT, data={"email": self.user.email})
        (mail,) = self.mailbox.deliver()
        self.mailed = (token_of(mail), code_of(mail))

    def confirm_email(self) -> None:
        """Ask for a mail that confirms the email, and use its link."""
        self.client.post(f"{ME}/email/confirmation")
        (mail,) = self.mailbox.deliver()
        self.mailed = (token_of(mail),)
        token = {"token": token_of(mail)}
        self.service.client().post(CONFIRM, data=token)

    def act_on_mail(self, action: str) -> None:
        """Let the admin retry or drop a mail to the user."""
        add(notices(MailKind.ROLE_CHANGED, self.user, role="member"))
        (mail,) = mail_search.newest(1)
        self.chief.post(
            "/admin/mails/selected",
            data={"do": action, "mail": mail.id},
            headers={"Sec-Fetch-Site": "same-origin"},
        )

    def reset(self) -> None:
        """Use a reset code."""
        self.service.client().post(
            RESET,
            data={
                "email": self.user.email,
                "new_password": NEW,
                "code": issue_code(self.user).code,
            },
        )


def _me(scene: Scene) -> dict[str, Any]:
    """Return the field of an event that names the user only."""
    return {"user": scene.user.id}


def _by(scene: Scene) -> dict[str, Any]:
    """Return the fields of an event in which the admin changed the user."""
    return {"user": scene.user.id, "by": scene.admin.id}


FACTORS = "/api/v1/auth_session/factors"
PASSKEY = "/api/v1/auth_session/passkey"
SECOND_FACTOR = "/api/v1/auth_session/second-factor"
FORGOT = "/api/v1/auth_session/forgot"
CONFIRM = "/api/v1/auth_session/confirm"
RECOVERY_CODES = "/api/v1/auth_session/recovery-codes"
#: Events that need a mail server. With one, others have other requests.
NEED_MAIL = {
    EventType.RESET_REQUESTED,
    EventType.EMAIL_CONFIRMED,
    EventType.MAIL_RETRIED,
    EventType.MAIL_DROPPED,
}
Fields = Callable[[Scene], dict[str, Any]]
#: For each event the requests that cause it, and its fields.
FLOWS: dict[EventType, tuple[Callable[[Scene], object], Fields]] = {
    EventType.LOGIN: (lambda s: s.service.client_for(s.user), _me),
    EventType.LOGIN_FAILED: (
        lambda s: s.fail(1),
        lambda s: _me(s) | {"reason": "wrong_password"},
    ),
    EventType.LOGIN_DISABLED: (lambda s: s.log_in_disabled(), _me),
    EventType.THROTTLED: (
        lambda s: s.fail(5),
        lambda s: _me(s) | {"retry_after": 1},
    ),
    EventType.REAUTHENTICATED: (
        lambda s: s.client.post(REFRESH, data={"password": PASSWORD}),
        _me,
    ),
    EventType.LOGOUT: (
        lambda s: s.client.delete(LOGOUT),
        lambda s: _me(s) | {"handle": s.handle},
    ),
    EventType.SESSION_REVOKED: (
        lambda s: s.client.delete(f"{SESSIONS}/{s.handle}"),
        lambda s: _me(s) | {"handle": s.handle},
    ),
    EventType.SESSIONS_REVOKED: (
        lambda s: s.chief.delete(f"{s.path}/sessions"),
        lambda s: _by(s) | {"count": 1},
    ),
    EventType.SESSION_REFUSED: (
        lambda s: s.replay(),
        lambda s: {"reason": "logged_out"},
    ),
    EventType.CROSS_SITE_REFUSED: (
        lambda s: s.client.delete(
            LOGOUT, headers={"Sec-Fetch-Site": "cross-site"}
        ),
        lambda s: {"path": LOGOUT, "host": "localhost"},
    ),
    EventType.ACCESS_DENIED: (
        lambda s: s.client.get(f"{s.path}/sessions"),
        lambda s: _me(s) | {"path": f"{s.path}/sessions", "reason": "policy"},
    ),
    EventType.CODE_REFUSED: (
        lambda s: s.service.client().post(
            RESET,
            data={
                "email": s.user.email,
                "new_password": NEW,
                "code": "WRONG",
            },
        ),
        lambda s: {"reason": "reset_code"},
    ),
    EventType.USER_ADDED: (
        lambda s: s.chief.post(
            USERS, json={"email": "new@example.com", "password": NEW}
        ),
        lambda s: {
            "by": s.admin.id,
            "user": User.search({"email": "new@example.com"})[0].id,
        },
    ),
    EventType.USER_REMOVED: (lambda s: s.chief.delete(s.path), _by),
    EventType.USER_DISABLED: (
        lambda s: s.chief.put(f"{s.path}/disabled", json={"disabled": True}),
        _by,
    ),
    EventType.USER_ENABLED: (
        lambda s: s.chief.put(f"{s.path}/disabled", json={"disabled": False}),
        _by,
    ),
    EventType.ROLE_CHANGED: (
        lambda s: s.chief.put(f"{s.path}/role", json={"role": "admin"}),
        lambda s: _by(s) | {"reason": "admin"},
    ),
    EventType.EMAIL_CHANGED: (
        lambda s: s.client.put(
            f"{ME}/email", json={"email": "new@example.com"}
        ),
        _me,
    ),
    EventType.EMAIL_REFUSED: (
        lambda s: s.client.put(f"{ME}/email", json={"email": s.admin.email}),
        lambda s: _me(s) | {"reason": "taken"},
    ),
    EventType.PASSWORD_CHANGED: (
        lambda s: s.client.put(
            f"{ME}/password",
            json={"current_password": PASSWORD, "new_password": NEW},
        ),
        _me,
    ),
    EventType.USER_UNLOCKED: (lambda s: s.unlock(), _by),
    EventType.RESET_CODE_ISSUED: (
        lambda s: s.chief.post(f"{s.path}/password-reset"),
        _by,
    ),
    EventType.RESET_REQUESTED: (lambda s: s.ask_for_reset(), _me),
    EventType.EMAIL_CONFIRMED: (lambda s: s.confirm_email(), _me),
    EventType.PASSWORD_RESET: (lambda s: s.reset(), _me),
    EventType.INVITATION_REVOKED: (
        lambda s: s.revoke_invitation(),
        lambda s: {"user": s.invited, "by": s.admin.id},
    ),
    EventType.MAIL_RETRIED: (
        lambda s: s.act_on_mail("retry"),
        lambda s: _by(s) | {"reason": "role_changed"},
    ),
    EventType.MAIL_DROPPED: (
        lambda s: s.act_on_mail("drop"),
        lambda s: _by(s) | {"reason": "role_changed"},
    ),
    EventType.SECOND_FACTOR_REQUIRED: (lambda s: s.second_factor(), _me),
    EventType.SECOND_FACTOR_REFUSED: (lambda s: s.second_factor(), _me),
    EventType.FACTOR_ADDED: (
        lambda s: s.enroll(),
        lambda s: _me(s) | {"reason": "totp"},
    ),
    EventType.FACTOR_REMOVED: (
        lambda s: s.enroll().client.delete(s.factor),
        lambda s: _me(s) | {"reason": "totp"},
    ),
    EventType.FACTOR_RENAMED: (
        lambda s: s.enroll().client.put(s.factor, json={"name": "tablet"}),
        lambda s: _me(s) | {"reason": "totp"},
    ),
    EventType.FACTOR_RESET_ISSUED: (
        lambda s: s.reset_factors(),
        lambda s: {"user": s.user.id, "by": s.admin.id},
    ),
    EventType.FACTORS_RESET: (lambda s: s.reset_factors(), _me),
    EventType.FACTOR_SWITCHED_OFF: (
        lambda s: s.switch_off(),
        lambda s: _me(s) | {"reason": "totp"},
    ),
    EventType.PASSKEY_REFUSED: (
        lambda s: s.refuse_passkey(),
        lambda s: {"reason": "unknown"},
    ),
    EventType.BROWSER_TRUSTED: (
        lambda s: s.trust(),
        lambda s: _me(s) | {"handle": s.trusted},
    ),
    EventType.RECOVERY_CODE_USED: (
        lambda s: s.recover(),
        lambda s: _me(s) | {"count": 9},
    ),
    EventType.RECOVERY_CODES_REPLACED: (
        lambda s: s.enroll().client.post(RECOVERY_CODES),
        _me,
    ),
}
