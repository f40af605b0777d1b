#!/usr/bin/env python3
"""The page that asks a signed-in user for more proof, and leads back.

A rule of the gate may ask for a second factor, for one that cannot be
phished, or for a recent proof. The page offers each proof of the user that
gives what is missing. It never redirects by itself, only after a form: so a
browser is never led back and forth between it and an application that still
asks for more. In a second tab, the form leads back at once if another tab has
given the proof.
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
    PasskeyRefused,
    Throttled,
    WrongPassword,
    WrongSecondFactor,
)
from vestibule.core.redirects import STEP_UP_PATH
from vestibule.db import factors, passkeys
from vestibule.db.models.user import User
from vestibule.http.flask_app import MinimalResponse
from vestibule.http.login import set_session_cookie
from vestibule.http.recent_auth import (
    reauthenticate_by_code,
    reauthenticate_by_passkey,
    reauthenticate_user,
)
from vestibule.http.request import current_request
from vestibule.http.responses import add_challenge
from vestibule.sessions.facts import (
    NO_FACTS,
    assurance_of,
    facts_of_session,
)
from vestibule.web.forms import missing_fields, passkey_field
from vestibule.web.i18n import gettext
from vestibule.web.messages import error_message
from vestibule.web.routes import after_sign_in_url, pages
from vestibule.web.templating import entry_page, redirect_to

#: The proofs, each by the name of its field in the form.
_CODE, _PASSWORD, _PASSKEY = "code", "password", "passkey"


@pages.get(STEP_UP_PATH)
def show_step_up() -> Response:
    """Ask for what the session lacks, or say that nothing is missing."""
    return _form(200)


@pages.post(STEP_UP_PATH)
def give_more_proof() -> Response:
    """Check the proof that the form has, renew the session, and lead back."""
    user, form = current_mechanism_and_user()[1], current_request().form
    if not _missing():
        return redirect_to(after_sign_in_url())
    proofs = _proofs()
    given = next((name for name in proofs if form.get(name)), None)
    if given is None:
        return _nothing_given(proofs)
    try:
        renewed = _reauthenticate(user, given)
    except PasskeyRefused as error:
        return add_challenge(
            _form(401, error_message(error)), current_request().mechanism
        )
    except (WrongSecondFactor, WrongPassword) as error:
        return add_challenge(
            _form(401, errors={given: error_message(error)}),
            current_request().mechanism,
        )
    except FactorSwitchedOff as error:
        return _form(403, error_message(error))
    except Throttled as error:
        response = _form(429, error_message(error))
        response.headers["Retry-After"] = str(error.retry_after)
        return response
    return set_session_cookie(redirect_to(after_sign_in_url()), renewed)


def _reauthenticate(user: User, given: str) -> str | None:
    """Check the proof in the field `given`; return the new session id."""
    if given == _PASSKEY:
        return reauthenticate_by_passkey(user, passkey_field(given) or {})
    text = current_request().form[given]
    if given == _CODE:
        return reauthenticate_by_code(user, text)
    return reauthenticate_user(user, text)


def _nothing_given(proofs: tuple[str, ...]) -> Response:
    """Return the page for a form without a proof that would help."""
    if proofs == (_PASSKEY,):
        text = gettext("No passkey was used. You can try again.")
        return _form(400, text)
    return _form(400, errors=missing_fields(proofs[:1]))


def _missing() -> tuple[Fact, ...]:
    """Return what the session lacks of what the request's query asks for."""
    request = current_request()
    session = request.session
    facts = NO_FACTS if session is None else facts_of_session(session)
    asked = asked_requirement(request.values)
    now = request.sessions.now()
    return missing_facts(asked, assurance_of(facts), now)


def _proofs() -> tuple[str, ...]:
    """Return the proofs that give what is missing and that the user has.

    Each of them is a recent proof. A password is no second factor, and a
    code can be phished.
    """
    missing, user = _missing(), current_mechanism_and_user()[1]
    is_any = Fact.PHISHING_RESISTANT not in missing
    has_proof = {
        _CODE: is_any and factors.count_apps(user.id) > 0,
        _PASSWORD: is_any and Fact.LEVEL not in missing and user.has_password,
        _PASSKEY: site() is not None and bool(passkeys.of_user(user.id)),
    }
    return tuple(name for name, has in has_proof.items() if has)


def _form(
    status: int,
    alert: str | None = None,
    errors: dict[str, str] | None = None,
) -> MinimalResponse:
    """Return the page; what was typed is never in it."""
    missing = _missing()
    proofs = _proofs() if missing else ()
    return entry_page(
        "step_up.html",
        status,
        alert=alert,
        errors=errors or {},
        asked=asked_query(asked_requirement(current_request().values)),
        missing=missing,
        proofs=proofs,
        has_passkeys=_PASSKEY in proofs,
        may_add_passkey=site() is not None,
        onward=after_sign_in_url(),
    )
