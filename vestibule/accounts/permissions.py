#!/usr/bin/env python3
"""Who may do what to whose account: pure policy.

Its law: this is the only place that compares roles, or one user's id with
another's, to allow something (OWASP ASVS 5.0, 8.2 and 8.3). What it does
not know of it forbids.
"""

from datetime import datetime
from enum import Enum, StrEnum
from typing import Any, NamedTuple, Self

from vestibule.core.client_info import ClientInfo
from vestibule.db.models.user import Role


class Policy(StrEnum):
    """What users may do to each other's accounts: `AUTHZ_POLICY`."""

    #: Whoever may come in may use all of the users' endpoints.
    OPEN = "open"
    #: One's own account only; admins all of them.
    SELF = "self"


class Action(Enum):
    """What can be done, by whom beside the admins."""

    LIST_USERS = "list all users"
    ADD_USER = "add a user"
    SHOW_USER = "show a user"
    NAME_USER = "set a user's names"
    DELETE_USER = "delete a user"
    SET_ROLE = "set a user's role"
    SET_DISABLED = "disable or enable a user"
    ISSUE_RESET = "issue a code to reset a user's password"
    LIST_SESSIONS = "list a user's sessions"
    END_SESSIONS = "end a user's sessions"
    END_ALL_SESSIONS = "end everybody's sessions"
    SEE_DESK = "see the pages of the admin's desk"
    FIND_USERS = "search all users, with what admins see of them"
    INVITE_USER = "add a user who sets the password by a code"
    LIST_FAILURES = "see how often it failed to sign in as a user"
    UNLOCK_USER = "lift the wait after failures from a user"
    LIST_ALL_SESSIONS = "list everybody's sessions"
    END_ANY_SESSION = "end one session, whosever it is"
    LIST_EVENTS = "see and export what happened to all users"
    SEE_FIGURES = "see how much happens in each hour"


#: What the contract of this API leaves open to whoever may come in.
_USERS = frozenset(
    {
        Action.LIST_USERS,
        Action.ADD_USER,
        Action.SHOW_USER,
        Action.NAME_USER,
        Action.DELETE_USER,
    }
)
#: What one may do to the own account under every policy.
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
        """Return the anonymous actor who sends from `client`."""
        return cls(address=client.ip, is_local=client.is_local)


#: A script, which no user of the service is behind.
LOCAL = Actor(is_local=True)


def is_allowed(
    actor: Actor, action: Action, target_id: str | None, policy: Policy
) -> bool:
    """Tell whether `actor` may do `action` to the user with an id.

    Whether that user exists makes no difference.
    """
    if policy is Policy.OPEN and action in _USERS:
        return True
    if actor.id is None:
        return False
    if actor.role == Role.ADMIN:
        return True
    return action in _OWN and target_id == actor.id


def is_disabled(principal: Any) -> bool:
    """Tell whether a user is kept out.

    A mechanism of somebody's own may know users of another kind: they
    cannot be disabled here.
    """
    return isinstance(getattr(principal, "disabled_at", None), datetime)
