#!/usr/bin/env python3
"""The desk's users: find one, see one, add one."""

from typing import Any

from flask import Response

from api.v1.permit import permit
from api.v1.request import asker, current_request
from api.v1.views.account import with_session
from api.v1.views.admin import known_user
from api.v1.views.directory import found_users, invite_as_admin
from api.v1.views.overview import live_sessions
from api.v1.views.sessions import asking, current_session
from models import events
from models.events import Wanted
from models.user import User
from vestibule.accounts.policy import Action
from vestibule.accounts.unlocking import failures_of
from vestibule.desk import filters
from vestibule.desk.filters import SessionsSought
from vestibule.errors import InvalidValue, VestibuleError
from vestibule.observe.security import Event
from vestibule.web.activity import ALARMING, told
from vestibule.web.addresses import DESK, DESK_USERS
from vestibule.web.blueprint import pages
from vestibule.web.desk.listing import MOST, Typed, names_of
from vestibule.web.devices import device
from vestibule.web.proving import (
    Told,
    answered,
    keep_session,
    missing,
    proof_of,
)
from vestibule.web.rendering import page
from vestibule.web.wording import said

_NAMES = ("email", "first_name", "last_name")
#: Sessions and events on the page of one user.
SOME = 10


@pages.get(DESK)
def show_users() -> Response:
    """Show the users that a search and filters find."""
    permit(Action.FIND_USERS)
    typed = Typed("q", "role", "disabled", "signed_in")
    nobody: tuple[list[User], str | None] = ([], None)
    found, following = typed.found(
        lambda: found_users(
            filters.users_of(typed.values), MOST, typed.after
        ),
        nobody,
    )
    return page(
        "desk_users.html",
        typed.status,
        found=found,
        typed=typed,
        first=typed.address(DESK),
        next=following and typed.address(DESK, after=following),
    )


@pages.get(f"{DESK_USERS}/<user_id>")
def show_user_here(user_id: str) -> Response:
    """Show one user: data, sessions, what happened, what can be done."""
    permit(Action.FIND_USERS)
    user, auth = known_user(user_id), asking()[0]
    some = live_sessions(auth, SessionsSought(user.id), SOME, "").sessions
    happened = events.page(Wanted(user_id=user.id), SOME).happenings
    failed = events.page(Wanted(user.id, Event.LOGIN_FAILED), SOME)
    current = current_session(auth)
    return page(
        "desk_user.html",
        account=user,
        failures=failures_of(user),
        sessions=some[:SOME],
        current=current and current.id,
        happenings=happened,
        failed=failed.happenings,
        may_have_failed=failed.next is not None,
        names=names_of(
            one.by_id for one in (*happened, *failed.happenings)
        ),
        is_own=user.id == asker(),
        told=told,
        device=device,
        alarming=ALARMING,
    )


@pages.get(f"{DESK_USERS}/add")
def show_new_user() -> Response:
    """Show the form to add somebody."""
    permit(Action.INVITE_USER)
    return _form()


@pages.post(f"{DESK_USERS}/add")
def add_user_here() -> Response:
    """Add somebody, and show once the code to set a password by."""
    permit(Action.INVITE_USER)
    form = current_request().form
    given: dict[str, Any] = {
        name: form.get(name, "").strip() or None for name in _NAMES
    }
    problem, renewed = proof_of(
        asking()[1], form.get("password", ""), "password"
    )
    if given["email"] is None:
        problem = missing(problem, "email")
    elif problem is None:
        try:
            invited = invite_as_admin(*given.values())
        except InvalidValue as error:
            problem = Told(400, {error.field: said(error)})
        except VestibuleError:
            keep_session(renewed)
            raise
        else:
            return with_session(page(
                "desk_code.html", account=invited.user,
                issued=invited.code, is_new=True,
            ), renewed)
    return with_session(_form(problem, renewed is not None), renewed)


def _form(problem: Told | None = None, is_proved: bool = False) -> Response:
    """Return the form to add somebody, with what was typed."""
    typed = current_request().form
    return answered(
        "desk_add.html", problem, is_proved,
        values={name: typed.get(name, "") for name in _NAMES},
    )
