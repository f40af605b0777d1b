#!/usr/bin/env python3
"""The pages of a user's second factors: lists, apps, recovery codes.

Each change asks for the password, or for the code of an app, unless it was
given within `REAUTH_WINDOW`. A session after a recovery code may open these
pages and no others, and is asked for neither.
"""

import json
from typing import Any

from flask import Response, abort
from markupsafe import Markup

from vestibule.accounts.passkeys import accepted_passkeys, site
from vestibule.accounts.permissions import deadline_to_show
from vestibule.accounts.second_factors import (
    MAX_NAME_LENGTH,
    NewApp,
    begin_app,
    confirm_app,
    pending_app,
    remove_factor,
    rename_factor,
    replace_recovery_codes,
)
from vestibule.api.views.sessions import current_mechanism_and_user
from vestibule.core.access_settings import has_secrets_key
from vestibule.core.errors import (
    FactorSwitchedOff,
    InvalidValue,
    LastFactor,
    LastPasskey,
    RecordGone,
    Throttled,
    VestibuleError,
    WrongSecondFactor,
)
from vestibule.core.redirects import RETURN_PARAMETER
from vestibule.db import factors
from vestibule.db.factors import PASSKEY, RECOVERY, TOTP, Factor
from vestibule.db.models.user import User
from vestibule.http.login import set_session_cookie
from vestibule.http.recent_auth import missing_factor_proof, renew_session
from vestibule.http.request import current_request
from vestibule.sessions.facts import TotpProof
from vestibule.web.forms import (
    FormErrors,
    check_code_field,
    check_passkey_proof,
    check_password_field,
    code_error,
    keep_renewed_session,
    missing_fields,
    render_form,
    require_field,
)
from vestibule.web.i18n import gettext
from vestibule.web.kept_form import form_entries
from vestibule.web.messages import Message, error_message
from vestibule.web.routes import FACTORS, pages, return_url, with_return_url
from vestibule.web.templating import page, redirect

_ADD = f"{FACTORS}/add"
_CONFIRM = f"{FACTORS}/confirm"
_REMOVE = f"{FACTORS}/remove"
_RENAME = f"{FACTORS}/rename"
_CODES = f"{FACTORS}/codes"
#: Recovery codes left at which the page warns.
FEW_RECOVERY_CODES = 3


@pages.get(FACTORS)
def show_factors() -> Response:
    """Show the apps, and how many recovery codes are left."""
    user, session = _current_user(), current_request().session
    keys = [one for one in _removable(user) if one.kind == PASSKEY]
    codes, has_site = factors.count_recovery_codes(user.id), site() is not None
    return page(
        "factors.html",
        **_way_back(),
        apps=_apps(user),
        passkeys=keys,
        has_passkeys=has_site,
        signal=json.dumps(accepted_passkeys(user)) if has_site else None,
        may_remove_password=user.has_password
        and (len(keys) > 1 or bool(keys and codes)),
        codes=codes,
        few_codes=FEW_RECOVERY_CODES,
        may_add=has_secrets_key(),
        is_recovered=session is not None and session.recovered,
        due=deadline_to_show(user),
        now=current_request().sessions.now(),
    )


@pages.get(_ADD)
def show_add_app() -> Response:
    """Ask for the name of a new app."""
    _require_keys()
    _current_user()
    return factor_form("factor_add.html")


@pages.post(_ADD)
def add_app() -> Response:
    """Begin to enroll an app, and lead to the page that shows its key."""
    _require_keys()
    user = _current_user()
    problem, renewed = check_factor_proof(user)
    if not current_request().form.get("name"):
        problem = require_field(problem, "name")
    elif problem is None:
        try:
            new = begin_app(user, current_request().form["name"])
        except InvalidValue as error:
            problem = FormErrors(400, {"name": error_message(error)})
        except VestibuleError:
            keep_renewed_session(renewed)
            raise
        else:
            path = with_return_url(f"{_CONFIRM}?factor={new.factor.id}")
            return set_session_cookie(redirect(path), renewed)
    return factor_form("factor_add.html", problem, renewed)


@pages.get(_CONFIRM)
def show_confirm_app() -> Response:
    """Show the key of a pending app, and ask for its first code."""
    user = _current_user()
    if missing_factor_proof() is not None:
        return redirect(with_return_url(_ADD))
    try:
        new = pending_app(user, current_request().args.get("factor", ""))
    except RecordGone:
        return redirect(with_return_url(FACTORS), Message.APP_NOT_PENDING)
    return _confirm_form(new)


@pages.post(_CONFIRM)
def confirm_app_page() -> Response:
    """Finish to enroll an app; the first one brings recovery codes.

    The session gets a new id, and a second factor.
    """
    user, form = _current_user(), current_request().form
    try:
        new = pending_app(user, form.get("factor", ""))
        problem, renewed = check_factor_proof(user)
        if problem is not None:
            return _confirm_form(new, problem, shows_key=False)
        if missing := missing_fields(("code",)):
            return _confirm_form(new, FormErrors(400, missing), renewed)
        codes = confirm_app(user, new.factor.id, form["code"])
    except RecordGone:
        return redirect(with_return_url(FACTORS), Message.APP_NOT_PENDING)
    except (WrongSecondFactor, FactorSwitchedOff, Throttled) as error:
        return _confirm_form(new, code_error(error, "code"), renewed)
    proof = TotpProof(current_request().sessions.now())
    renewed = renew_session(proof, renewed)
    if codes:
        return codes_page(codes, renewed)
    path = with_return_url(FACTORS)
    return set_session_cookie(redirect(path, Message.APP_ADDED), renewed)


@pages.get(_REMOVE)
def confirm_remove_app() -> Response:
    """Ask to confirm that an app is to be removed."""
    app = _app(_current_user(), current_request().args.get("factor", ""))
    if app is None:
        return redirect(FACTORS, Message.APP_GONE)
    return factor_form("factor_remove.html", app=app)


@pages.post(_REMOVE)
def remove_app() -> Response:
    """Remove an app; the recovery codes go with the last one."""
    user = _current_user()
    app = _app(user, current_request().form.get("factor", ""))
    if app is None:
        return redirect(FACTORS, Message.APP_GONE)
    problem, renewed = check_factor_proof(user)
    if problem is not None:
        return factor_form("factor_remove.html", problem, renewed, app=app)
    try:
        remove_factor(user, app.id)
        is_passkey = app.kind == PASSKEY
        message = (
            Message.PASSKEY_REMOVED if is_passkey else Message.APP_REMOVED
        )
    except (LastFactor, LastPasskey) as error:
        problem = FormErrors(error.status, alert=error_message(error))
        return factor_form("factor_remove.html", problem, renewed, app=app)
    except RecordGone:
        message = Message.APP_GONE
    return set_session_cookie(redirect(FACTORS, message), renewed)


@pages.get(_RENAME)
def show_rename_factor() -> Response:
    """Ask for another name of an app or a passkey."""
    app = _app(_current_user(), current_request().args.get("factor", ""))
    if app is None:
        return redirect(FACTORS, Message.APP_GONE)
    return factor_form("factor_rename.html", app=app, given_name=app.name)


@pages.post(_RENAME)
def rename_factor_page() -> Response:
    """Give an app or a passkey another name."""
    user, form = _current_user(), current_request().form
    app = _app(user, form.get("factor", ""))
    if app is None:
        return redirect(FACTORS, Message.APP_GONE)
    problem, renewed = check_factor_proof(user)
    if not form.get("name"):
        problem = require_field(problem, "name")
    message = Message.FACTOR_RENAMED
    try:
        if problem is None:
            rename_factor(user, app.id, form["name"])
    except InvalidValue as error:
        problem = FormErrors(400, {"name": error_message(error)})
    except RecordGone:
        message = Message.APP_GONE
    if problem is not None:
        return factor_form("factor_rename.html", problem, renewed, app=app)
    return set_session_cookie(redirect(FACTORS, message), renewed)


@pages.get(_CODES)
def confirm_new_codes() -> Response:
    """Ask to confirm that the recovery codes are to be replaced."""
    if not _removable(_current_user()):
        return redirect(FACTORS)
    return factor_form("factor_codes.html")


@pages.post(_CODES)
def make_new_codes() -> Response:
    """Replace the recovery codes, and show the new ones once."""
    user = _current_user()
    problem, renewed = check_factor_proof(user)
    if problem is not None:
        return factor_form("factor_codes.html", problem, renewed)
    try:
        codes = replace_recovery_codes(user)
    except RecordGone:
        # Another request removed the last app.
        return set_session_cookie(redirect(FACTORS), renewed)
    return codes_page(codes, renewed)


def _current_user() -> User:
    """Return the user of the request's session."""
    return current_mechanism_and_user()[1]


def _require_keys() -> None:
    """Abort with 404 if there is no key to store secrets with."""
    if not has_secrets_key():
        abort(404)


def _apps(user: User) -> list[Factor]:
    """Return the user's confirmed apps, oldest first."""
    return [one for one in factors.of_user(user.id) if one.kind == TOTP]


def _app(user: User, factor_id: str) -> Factor | None:
    """Return one confirmed app or passkey of the user."""
    return next((one for one in _removable(user) if one.id == factor_id), None)


def _removable(user: User) -> list[Factor]:
    """Return the user's apps and passkeys, oldest first."""
    return [one for one in factors.of_user(user.id) if one.kind != RECOVERY]


def check_factor_proof(user: User) -> tuple[FormErrors | None, str | None]:
    """Check the password, the code of an app or a passkey, if one is needed.

    Return what is wrong, and the new session id if the session was renewed.
    """
    missing, form = missing_factor_proof(), current_request().form
    if missing is None:
        return None, None
    if missing == "password":
        return check_password_field(user, form.get("password", ""))
    if form.get("proof_passkey"):
        return check_passkey_proof(user)
    code = form.get("proof_code", "")
    if not code and not _apps(user):
        text = gettext("Confirm with a passkey or an app to continue.")
        return FormErrors(400, alert=text), None
    if not code:
        text = gettext("Enter the code of your app to continue.")
        return FormErrors(400, {"proof_code": text}), None
    return check_code_field(user, code)


def _confirm_form(
    new: NewApp,
    problem: FormErrors | None = None,
    renewed: str | None = None,
    shows_key: bool = True,
) -> Response:
    """Return the page with the key of a pending app.

    Without `shows_key` it only asks for the proof that is missing.
    """
    return factor_form(
        "factor_confirm.html",
        problem,
        renewed,
        factor=new.factor,
        new=new if shows_key else None,
        qr=qr_code(new.url) if shows_key else "",
    )


def factor_form(
    template: str,
    problem: FormErrors | None = None,
    renewed: str | None = None,
    given_name: str = "",
    **values: object,
) -> Response:
    """Return the page of a form, which asks for the proof that is missing.

    `given_name` is in its field for a name until the user types another.
    """
    missing = None if renewed else missing_factor_proof()
    response = render_form(
        template,
        problem,
        missing != "password",
        needs_code=missing == "factor",
        has_apps=bool(_apps(_current_user())),
        name=form_entries().get("name", given_name),
        max_name=MAX_NAME_LENGTH,
        **_way_back(),
        **values,
    )
    return set_session_cookie(response, renewed)


def _way_back() -> dict[str, Any]:
    """Return what a template needs to keep `return_to`.

    A user who was led here to set up a factor gets back from each page.
    """
    return {
        "back": return_url(),
        "parameter": RETURN_PARAMETER,
        "entry": with_return_url,
    }


def codes_page(codes: list[str], renewed: str | None) -> Response:
    """Return the page that shows new recovery codes, the only time."""
    response = page("recovery_codes.html", codes=codes, **_way_back())
    return set_session_cookie(response, renewed)


def qr_code(text: str) -> Markup:
    """Return a QR code as SVG without style, which the pages' policy allows.

    The library is loaded only here: few requests need it.
    """
    import segno

    drawn = segno.make(text, error="m", micro=False).svg_inline(
        omitsize=True, light="#fff", svgclass="qr", lineclass=None
    )
    # Made by the library: modules as numbers, and no part of the text.
    return Markup(drawn)  # nosec B704
