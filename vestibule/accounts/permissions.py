#!/usr/bin/env python3
"""The policy: which actor may do what to which user's account.

This is the only module that compares roles, or one user's id with
another's, to allow something (OWASP ASVS 5.0, 8.2 and 8.3). What no rule
allows is forbidden.

It also says until when a user may do without the second factor that
`REQUIRE_MFA` asks for. The days of `MFA_GRACE` begin with the first request
of a session at which the requirement meets the user; that moment is stored.
Afterwards a session needs level 2: with level 1 it can only set up a factor,
give one, or end.
"""

from datetime import datetime, timedelta
from enum import Enum, StrEnum
from typing import Any, NamedTuple, Self

from vestibule.core import mail_settings
from vestibule.core.access_settings import MFA_GRACE, is_factor_required
from vestibule.core.client_info import ClientInfo
from vestibule.db import factors, user_status
from vestibule.db.models.user import Role
from vestibule.sessions.facts import facts_of_session, level_of
from vestibule.sessions.session import Session


class Policy(StrEnum):
    """What users may do to each other's accounts: `AUTHZ_POLICY`."""

    #: Every authenticated user may use all endpoints under `/users`.
    OPEN = "open"
    #: A user may use their own account only, an admin all of them.
    SELF = "self"


class Action(Enum):
    """The actions that need a permission."""

    LIST_USERS = "list all users"
    ADD_USER = "add a user"
    SHOW_USER = "show a user"
    NAME_USER = "set a user's names"
    DELETE_USER = "delete a user"
    SET_EMAIL = "change a user's email, under `EMAIL_CHANGE=admin`"
    SET_ROLE = "set a user's role"
    SET_DISABLED = "disable or enable a user"
    ISSUE_RESET = "issue a code to reset a user's password"
    LIST_FACTORS = "see the kinds and names of a user's second factors"
    RESET_FACTORS = "issue a code to remove a user's second factors"
    LIST_SESSIONS = "list a user's sessions"
    END_SESSIONS = "end a user's sessions"
    LIST_TRUSTED = "list the browsers that a user trusts"
    END_TRUST = "end the trust in a browser of a user"
    END_ALL_SESSIONS = "end the sessions of all users"
    SEE_ADMIN_PAGES = "see the admin pages"
    FIND_USERS = "search all users, with the fields for admins"
    INVITE_USER = "add a user who sets the password by a code"
    LIST_FAILURES = "see the failed sign-ins of a user"
    UNLOCK_USER = "unlock sign-in of a user"
    LIST_ALL_SESSIONS = "list the sessions of all users"
    END_ANY_SESSION = "end one session of any user"
    LIST_EVENTS = "see and export the events of all users"
    SEE_FIGURES = "see the hourly statistics"
    MANAGE_MAILS = "see, retry and drop the mails to all users"


#: Open to every authenticated user under the policy `open`.
_OPEN = frozenset(
    {
        Action.LIST_USERS,
        Action.ADD_USER,
        Action.SHOW_USER,
        Action.NAME_USER,
        Action.DELETE_USER,
    }
)
#: What users may do to their own account under every policy.
_OWN = frozenset({Action.SHOW_USER, Action.NAME_USER, Action.DELETE_USER})


class Actor(NamedTuple):
    """Who acts, and from where."""

    #: The id of a user, or `cli:` and the user of the process; `None` for
    #: an anonymous client, and for a script.
    id: str | None = None
    role: str | None = None
    #: The address of the client. All clients whose address is unknown
    #: are throttled together.
    address: str | None = None
    #: Whether a script or a command acts, which is not throttled: it can
    #: read the database as it is.
    is_local: bool = False

    @classmethod
    def at(cls, client: ClientInfo) -> Self:
        """Return an anonymous actor, at the address of `client`."""
        return cls(address=client.ip, is_local=client.is_local)


#: A script, which acts for no user.
LOCAL = Actor(is_local=True)


def is_allowed(
    actor: Actor, action: Action, target_id: str | None, policy: Policy
) -> bool:
    """Return True if `actor` may do `action` to the user `target_id`.

    The answer does not depend on whether that user exists.
    """
    if policy is Policy.OPEN and action in _OPEN:
        return True
    if actor.id is None:
        return False
    if actor.role == Role.ADMIN:
        return True
    return action in _OWN and target_id == actor.id


def must_confirm_email(principal: Any) -> bool:
    """Return True if a user may sign in only after confirming the email.

    Admins are exempt: the first one exists before mail is known to work,
    and an admin has to be able to repair it.
    """
    return (
        mail_settings.REQUIRE_CONFIRMED_EMAIL.read()
        and getattr(principal, "role", None) != Role.ADMIN
        and getattr(principal, "email_verified_at", None) is None
    )


def is_disabled(principal: Any) -> bool:
    """Return True if a user is disabled.

    A mechanism defined outside this package may have users of another
    type, which cannot be disabled here.
    """
    return isinstance(getattr(principal, "disabled_at", None), datetime)


def factor_deadline(
    user: Any, session: Session, now: datetime
) -> datetime | None:
    """Return when a session of `user` needs level 2; `None` if it does not.

    The first call for a user stores `now` as the begin of `MFA_GRACE`.
    Users of an application's own mechanism have no such moment, so the time
    of their session's begin counts.
    """
    if not is_factor_required(getattr(user, "role", None)):
        return None
    if level_of(facts_of_session(session)) > 1:
        return None
    since = getattr(user, "factor_required_at", None)
    if since is None:
        since = user_status.begin_factor_requirement(user.id, now)
    if since is None:
        since = session.created_at or now
    return since + timedelta(days=MFA_GRACE.read())


def is_factor_due(user: Any, now: datetime) -> bool:
    """Return True if a session of `user` with level 1 counts nowhere now.

    Nothing is stored: `MFA_GRACE` may begin with the user's next request.
    """
    if not is_factor_required(getattr(user, "role", None)):
        return False
    since: datetime = getattr(user, "factor_required_at", None) or now
    return since + timedelta(days=MFA_GRACE.read()) <= now


def deadline_to_show(user: Any) -> datetime | None:
    """Return until when a user without a factor has to set one up.

    `None` if no factor is required, or if the user has one.
    """
    since = getattr(user, "factor_required_at", None)
    if since is None or not is_factor_required(user.role):
        return None
    if factors.has_any(user.id):
        return None
    due: datetime = since + timedelta(days=MFA_GRACE.read())
    return due
