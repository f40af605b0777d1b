#!/usr/bin/env python3
"""The page that asks a signed-in user for more proof, and leads back.

A rule of the gate may ask for a second factor, or for a recent proof. The
page never redirects by itself, only after a form: so a browser is never led
back and forth between it and an application that still asks for more. In a
second tab, the form leads back at once if another tab has given the proof.
"""

from flask import Response

from vestibule.accounts.passkeys import site
from vestibule.api.views.sessions import current_mechanism_and_user
from vestibule.core.assurance import (
    Fact,
    asked_query,
    asked_requirement,
    missing_facts,
)
from vestibule.core.errors import (
    FactorSwitchedOff,
    Throttled,
    WrongPassword,
    WrongSecondFactor,
)
from vestibule.core.redirects import STEP_UP_PATH
from vestibule.db import factors
from vestibule.http.flask_app import MinimalResponse
from vestibule.http.login import set_session_cookie
from vestibule.http.recent_auth import (
    reauthenticate_by_code,
    reauthenticate_user,
)
from vestibule.http.request import current_request
from vestibule.http.responses import add_challenge
from vestibule.sessions.facts import (
    NO_FACTS,
    assurance_of,
    facts_of_session,
)
from vestibule.web.forms import missing_fields
from vestibule.web.messages import error_message
from vestibule.web.routes import after_sign_in_url, pages
from vestibule.web.templating import entry_page, redirect_to

#: The field of the form, by the proof that it asks for.
_CODE, _PASSWORD = "code", "password"


@pages.get(STEP_UP_PATH)
def show_step_up() -> Response:
    """Ask for what the session lacks, or say that nothing is missing."""
    return _form(200)


@pages.post(STEP_UP_PATH)
def give_more_proof() -> Response:
    """Check the code or the password, renew the session, and lead back."""
    user, field = current_mechanism_and_user()[1], _field()
    if not _missing():
        return redirect_to(after_sign_in_url())
    if field is None:
        return _form(400)
    if missing := missing_fields((field,)):
        return _form(400, errors=missing)
    given = current_request().form[field]
    try:
        if field == _CODE:
            renewed = reauthenticate_by_code(user, given)
        else:
            renewed = reauthenticate_user(user, given)
    except (WrongSecondFactor, WrongPassword) as error:
        return add_challenge(
            _form(401, errors={field: error_message(error)}),
            current_request().mechanism,
        )
    except FactorSwitchedOff as error:
        return _form(403, error_message(error))
    except Throttled as error:
        response = _form(429, error_message(error))
        response.headers["Retry-After"] = str(error.retry_after)
        return response
    return set_session_cookie(redirect_to(after_sign_in_url()), renewed)


def _missing() -> tuple[Fact, ...]:
    """Return what the session lacks of what the request's query asks for."""
    request = current_request()
    session = request.session
    facts = NO_FACTS if session is None else facts_of_session(session)
    asked = asked_requirement(request.values)
    now = request.sessions.now()
    return missing_facts(asked, assurance_of(facts), now)


def _field() -> str | None:
    """Return the proof to ask for; `None` if the user has no such proof.

    A user with an app gives a code, which is a recent proof too.
    """
    missing = _missing()
    if Fact.PHISHING_RESISTANT in missing:
        return None
    if factors.count_apps(current_mechanism_and_user()[1].id):
        return _CODE
    return None if Fact.LEVEL in missing else _PASSWORD


def _form(
    status: int,
    alert: str | None = None,
    errors: dict[str, str] | None = None,
) -> MinimalResponse:
    """Return the page; what was typed is never in it."""
    return entry_page(
        "step_up.html",
        status,
        alert=alert,
        errors=errors or {},
        asked=asked_query(asked_requirement(current_request().values)),
        missing=_missing(),
        field=_field(),
        may_add_passkey=site() is not None,
        onward=after_sign_in_url(),
        action=STEP_UP_PATH,
    )
