#!/usr/bin/env python3
"""The pages to sign in, and the redirect from `/`.

The sign-in page shows the same message for every wrong email or password,
so it does not reveal which emails are registered. The page after it asks for
the second factor of a user who has one.
"""

import json

from flask import Response

from vestibule.accounts.passkeys import site
from vestibule.accounts.users import needs_first_admin
from vestibule.core import settings
from vestibule.core.application_hosts import hand_over_start
from vestibule.core.errors import (
    EmailNotConfirmed,
    FactorSwitchedOff,
    LoginExpired,
    PasskeyRefused,
    SecondFactorRequired,
    Throttled,
    UnknownPasskey,
    WrongFactorResetCode,
    WrongSecondFactor,
)
from vestibule.core.redirects import AGAIN_PARAMETER
from vestibule.db import factors
from vestibule.db.factors import PASSKEY, TOTP
from vestibule.db.models.user import User
from vestibule.http.flask_app import MinimalResponse
from vestibule.http.login import (
    Login,
    begin_session,
    continue_login,
    log_in,
    log_in_with_passkey,
    reset_factors_and_log_in,
)
from vestibule.http.request import current_request
from vestibule.http.responses import add_challenge
from vestibule.http.second_step import (
    find_pending_login,
    has_pending_login,
    may_be_trusted,
)
from vestibule.sessions import cookie
from vestibule.sessions.facts import NewPasswordProof
from vestibule.web.forms import missing_fields, passkey_field
from vestibule.web.hand_over import hand_over, with_code
from vestibule.web.i18n import gettext
from vestibule.web.kept_form import form_entries
from vestibule.web.messages import (
    Message,
    error_message,
    throttled_message,
)
from vestibule.web.routes import (
    ACCOUNT,
    FACTOR_RESET,
    FACTORS,
    SECOND_FACTOR,
    SETUP,
    SIGN_IN,
    after_sign_in_url,
    pages,
    public,
    return_url,
    with_return_url,
)
from vestibule.web.sessions import end_reason_message
from vestibule.web.templating import entry_page, redirect, redirect_to

_FIELDS = ("email", "password")
_FACTOR_RESET_FIELDS = (*_FIELDS, "code")
#: A cookie with the attributes of the session's, set with the form. A
#: browser that sends the form's field of this name back without the cookie
#: will not keep a session either.
_TEST_COOKIE = "vestibule_cookie_test"


@pages.get(SIGN_IN)
@public
def show_sign_in() -> Response:
    """Show the form, and why the previous session ended."""
    request = current_request()
    # An application that needs a recent password leads signed-in users here.
    if request.current_user is not None and (
        request.args.get(AGAIN_PARAMETER) != "on"
    ):
        return hand_over(return_url()) or entry_page("signed_in.html")
    # Without users, signing in is impossible.
    if needs_first_admin():
        return redirect(with_return_url(SETUP))
    return _form(200)


@pages.post(SIGN_IN)
@public
def sign_in() -> Response:
    """Check email and password, and log the user in."""
    request = current_request()
    if request.form.get("passkey"):
        return _sign_in_with_passkey()
    email, password = (request.form.get(name, "") for name in _FIELDS)
    if missing := missing_fields(_FIELDS):
        return _form(400, errors=missing)
    if _TEST_COOKIE in request.form and not request.cookies.get(
        _test_cookie_name()
    ):
        return _form(400, _cookie_problem())
    try:
        found = User.search({"email": email})
        login = log_in(request.mechanism, request, found, email, password)
    except EmailNotConfirmed as error:
        return _form(403, error_message(error))
    except Throttled as error:
        response = _form(429, throttled_message(error.retry_after))
        response.headers["Retry-After"] = str(error.retry_after)
        return response
    except SecondFactorRequired:
        return redirect(with_return_url(SECOND_FACTOR))
    if login is not None:
        return _redirect_back(login)
    return add_challenge(
        _form(401, _wrong_password()),
        request.mechanism,
    )


def _sign_in_with_passkey() -> Response:
    """Log in the user whose passkey answered."""
    request, answer = current_request(), passkey_field("passkey") or {}
    try:
        login = log_in_with_passkey(request.mechanism, request, answer)
    except UnknownPasskey as error:
        found, id = site(), answer.get("id")
        detail = {"rpId": found and found.rp_id, "credentialId": id}
        shown = _form(401, error_message(error), signal=json.dumps(detail))
        return add_challenge(shown, request.mechanism)
    except PasskeyRefused as error:
        shown = _form(401, error_message(error))
        return add_challenge(shown, request.mechanism)
    except EmailNotConfirmed as error:
        return _form(403, error_message(error))
    return _redirect_back(login)


@pages.get(SECOND_FACTOR)
@public
def show_second_factor() -> Response:
    """Ask for the second factor of the login that waits in this browser."""
    if not has_pending_login(current_request()):
        return redirect(with_return_url(SIGN_IN))
    return _second_factor_form(200)


@pages.post(SECOND_FACTOR)
@public
def give_second_factor_page() -> Response:
    """Continue the login by a code of an app, or by a recovery code."""
    request = current_request()
    given = _second_factor_field()
    answer = passkey_field("passkey")
    if answer is None and (missing := missing_fields((given,))):
        return _second_factor_form(400, errors=missing)
    code = request.form.get("code", "")
    recovery = request.form.get("recovery_code", "")
    try:
        login = continue_login(
            request.mechanism,
            request,
            code,
            recovery,
            answer,
            trust=request.form.get("trust") == "on",
        )
    except PasskeyRefused as error:
        shown = _second_factor_form(401, error_message(error))
        return add_challenge(shown, request.mechanism)
    except WrongSecondFactor as error:
        text = error_message(error)
        if given == "recovery_code":
            text = gettext("This recovery code is wrong, or was already used.")
        return add_challenge(
            _second_factor_form(401, errors={given: text}), request.mechanism
        )
    except Throttled as error:
        response = _second_factor_form(
            429, throttled_message(error.retry_after)
        )
        response.headers["Retry-After"] = str(error.retry_after)
        return response
    except (FactorSwitchedOff, EmailNotConfirmed) as error:
        return _second_factor_form(403, error_message(error))
    except LoginExpired:
        return redirect(with_return_url(SIGN_IN), Message.LOGIN_EXPIRED)
    return _redirect_back(login)


@pages.get(FACTOR_RESET)
@public
def show_factor_reset() -> Response:
    """Show the form for a code that removes all second factors."""
    return _factor_reset_form(200)


@pages.post(FACTOR_RESET)
@public
def reset_factors_page() -> Response:
    """Remove all second factors, if password and code are right; log in.

    The page after it is that of the factors, to set up a new one.
    """
    request = current_request()
    if missing := missing_fields(_FACTOR_RESET_FIELDS):
        return _factor_reset_form(400, errors=missing)
    email, password, code = (request.form[n] for n in _FACTOR_RESET_FIELDS)
    try:
        login = reset_factors_and_log_in(
            request.mechanism,
            request,
            User.search({"email": email}),
            email,
            password,
            code,
        )
    except WrongFactorResetCode as error:
        return _factor_reset_form(400, errors={"code": error_message(error)})
    except EmailNotConfirmed as error:
        return _factor_reset_form(403, error_message(error))
    except Throttled as error:
        response = _factor_reset_form(
            429, throttled_message(error.retry_after)
        )
        response.headers["Retry-After"] = str(error.retry_after)
        return response
    if login is None:
        return add_challenge(
            _factor_reset_form(401, _wrong_password()), request.mechanism
        )
    done = redirect(FACTORS, Message.FACTORS_RESET)
    login.set_cookie(done, request)
    return done


def log_in_and_redirect(
    user: User, path: str | None = None
) -> Response | None:
    """Log in a new `user`, and return a redirect to where they came from.

    With `path` it leads there. It leads to the page for the second factor
    if the user has one. Return `None` if the user was changed meanwhile.
    """
    request = current_request()
    proof = NewPasswordProof(request.sessions.now())
    try:
        login = begin_session(request.mechanism, request, user, [proof])
    except SecondFactorRequired:
        # A new password does not skip the factor (ASVS 5.0, 6.4.3).
        return redirect(with_return_url(SECOND_FACTOR))
    return None if login is None else _redirect_back(login, path)


def _redirect_back(login: Login, path: str | None = None) -> Response:
    """Return a redirect that sets the session cookie.

    It leads to `path`, or else to where the user came from.
    """
    back, sessions = return_url(), current_request().sessions
    if back is not None and hand_over_start(back) is not None:
        back = with_code(back, sessions.store.find(login.session_id))
    response = redirect_to(path or back or after_sign_in_url())
    login.set_cookie(response, current_request())
    return response


def _form(
    status: int,
    alert: str | None = None,
    errors: dict[str, str] | None = None,
    signal: str | None = None,
) -> MinimalResponse:
    """Return the form; the email keeps its value."""
    request = current_request()
    shown = entry_page(
        "sign_in.html",
        status,
        alert=alert,
        ended=_end_reason() if status == 200 else None,
        errors=errors or {},
        email=form_entries().get("email", ""),
        cookie_test=_TEST_COOKIE,
        has_passkeys=site() is not None,
        signal=signal,
    )
    cookie.set_on(shown, _test_cookie_name(), "1", request.is_secure)
    return shown


def _wrong_password() -> str:
    """Return the message for an unknown email and for a wrong password."""
    return gettext("The email or the password is wrong.")


def _factor_reset_form(
    status: int,
    alert: str | None = None,
    errors: dict[str, str] | None = None,
) -> MinimalResponse:
    """Return the form for a code that removes all second factors."""
    form = form_entries()
    return entry_page(
        "factor_reset.html",
        status,
        alert=alert,
        errors=errors or {},
        values={name: form.get(name, "") for name in ("email", "code")},
    )


def _second_factor_field() -> str:
    """Return the field of the form: `code`, or `recovery_code`."""
    use = current_request().values.get("use")
    return "recovery_code" if use == "recovery" else "code"


def _second_factor_form(
    status: int,
    alert: str | None = None,
    errors: dict[str, str] | None = None,
) -> MinimalResponse:
    """Return the form for a code; what was typed is never in it.

    It offers the factors that the user has.
    """
    kinds = _pending_kinds()
    return entry_page(
        "second_factor.html",
        status,
        alert=alert,
        errors=errors or {},
        is_recovery=_second_factor_field() == "recovery_code",
        has_apps=TOTP in kinds,
        has_passkeys=PASSKEY in kinds and site() is not None,
        may_be_trusted=may_be_trusted(),
    )


def _pending_kinds() -> set[str]:
    """Return the kinds of factors of the user whose login waits."""
    request = current_request()
    try:
        user = find_pending_login(request.sessions, request)[2]
    except LoginExpired:
        return {TOTP, PASSKEY}
    return {one.kind for one in factors.of_user(user.id)}


def _test_cookie_name() -> str:
    """Return the name of the test cookie, with the session's prefix.

    A prefix has rules of its own, which browsers check (RFC 6265bis).
    """
    name = settings.SESSION_NAME.read() or ""
    prefix = "__Host-" if name.startswith("__Host-") else ""
    return f"{prefix}{_TEST_COOKIE}"


def _cookie_problem() -> str:
    """Return why the browser did not keep the test cookie, as far as known."""
    secure = settings.COOKIE_SECURE.read() == "always"
    if secure and not current_request().is_secure:
        return gettext(
            "Your browser did not keep the cookie that signing in needs,"
            " because the connection is not encrypted. Open this page by an"
            " address that begins with https://."
        )
    return gettext(
        "Your browser did not keep the cookie that signing in needs. Allow"
        " cookies for this site, and try again."
    )


def _end_reason() -> str | None:
    """Return why the session of the request's cookie ended, if any."""
    request = current_request()
    if request.sessions.session_cookie(request) is None:
        return None
    return end_reason_message(request.sessions.why_refused(request))


@pages.get("/")
@public
def redirect_from_root() -> Response:
    """Redirect to the account, to sign in, or to set up."""
    if current_request().current_user is not None:
        return redirect(ACCOUNT)
    return redirect(SETUP if needs_first_admin() else SIGN_IN)
