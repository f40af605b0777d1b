#!/usr/bin/env python3
"""Adds the pages to an application: routes, access check, error pages.

Pages use the decisions of the API: `authenticate` and `authorize` say who
may pass, and an error page keeps the status and headers of the API's
response. Only the body is different, and only for browsers outside of
`/api/`.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, abort
from werkzeug.exceptions import HTTPException

from vestibule.accounts.permissions import Action
from vestibule.core.application_hosts import (
    OWN_PREFIX,
    application_host,
)
from vestibule.core.assurance import Requirement, asked_query
from vestibule.core.errors import (
    AccountChanged,
    DatabaseUnavailable,
    SchemaMismatch,
    ServiceBusy,
    VestibuleError,
)
from vestibule.core.redirects import RETURN_PARAMETER, STEP_UP_PATH
from vestibule.db.factors import has_any
from vestibule.http import access, responses
from vestibule.http.access import (
    Decision,
    Limit,
    Outcome,
    authorize,
    decide,
    keep,
)
from vestibule.http.csrf import CrossSiteRequest
from vestibule.http.login import MAX_FORM_BYTES
from vestibule.http.request import VestibuleRequest, current_request
from vestibule.mechanisms.auth import Auth
from vestibule.web import (
    account,
    activity,
    factors,
    hand_over,
    mail_pages,
    new_password,
    passkeys,
    preferences,
    sessions,
    sign_in,
    step_up,
)
from vestibule.web.admin import events as admin_events
from vestibule.web.admin import exports as admin_exports
from vestibule.web.admin import gate as admin_gate
from vestibule.web.admin import mails as admin_mails
from vestibule.web.admin import overview as admin_overview
from vestibule.web.admin import sessions as admin_sessions
from vestibule.web.admin import statistics as admin_statistics
from vestibule.web.admin import user_actions
from vestibule.web.admin import users as admin_users
from vestibule.web.assets import bundle
from vestibule.web.i18n import N_, gettext
from vestibule.web.kept_form import keep_form
from vestibule.web.messages import (
    Message,
    cross_site_message,
    error_message,
    flash,
)
from vestibule.web.routes import (
    ACCOUNT,
    ACCOUNT_FIELD,
    ADMIN,
    FACTORS,
    PUBLIC_ENDPOINTS,
    SIGN_IN,
    SIGN_OUT,
    own_url,
    pages,
    return_url,
)
from vestibule.web.templating import page, redirect

#: The modules whose import adds routes to the blueprint.
PAGE_MODULES = (
    sign_in,
    sessions,
    hand_over,
    new_password,
    passkeys,
    mail_pages,
    preferences,
    account,
    activity,
    factors,
    step_up,
    admin_users,
    user_actions,
    admin_sessions,
    admin_events,
    admin_statistics,
    admin_exports,
    admin_overview,
    admin_mails,
    admin_gate,
)
_ASSET = f"{pages.name}.asset"
#: The pages that a limited session may open.
_LIMITED_PAGES = (f"{FACTORS}/", f"{SIGN_OUT}/")
_LIMIT_MESSAGES = {
    Limit.RECOVERED: Message.RECOVERED,
    Limit.FACTOR_REQUIRED: Message.FACTOR_REQUIRED,
}
#: Heading and text of an error page, by status.
_ERROR_TEXTS = {
    400: (
        N_("That did not work"),
        N_("The form was incomplete. Go back and try again."),
    ),
    401: (
        N_("Please sign in"),
        N_("Sign in to see this page."),
    ),
    403: (
        N_("This is not allowed"),
        N_("Your account may not do this. An administrator can help you."),
    ),
    404: (
        N_("Page not found"),
        N_("The address may be misspelled, or the page no longer exists."),
    ),
    405: (
        N_("That did not work"),
        N_("This address can't be opened directly."),
    ),
    413: (
        N_("Request too large"),
        N_("The request is larger than the service accepts."),
    ),
    429: (
        N_("Too many attempts"),
        N_("There were too many failed attempts."),
    ),
    503: (
        N_("Service unavailable"),
        N_("The service cannot respond right now. Try again in a moment."),
    ),
}
#: The text where the path is one of the admin pages.
_ADMINS_ONLY = N_("Only administrators can open this page.")
#: The text of a request that another site is behind.
_CROSS_SITE = N_(
    "The service refused the request, because it came from another site."
    " Open the page from this site instead."
)
#: The texts of errors with status 503, by code.
_UNAVAILABLE_TEXTS = {
    ServiceBusy.code: N_(
        "Too many people are signing in right now. Try again in a moment."
    ),
    DatabaseUnavailable.code: N_(
        "The service cannot reach its data right now. Try again in a moment."
    ),
    SchemaMismatch.code: N_(
        "The service is being updated. Try again in a few minutes."
    ),
}
_SERVER_ERROR_TEXT = (
    N_("Something went wrong"),
    N_(
        "This is an error of the service, not yours. It is "
        "recorded in the log."
    ),
)


def install(app: Flask) -> None:
    """Register the pages with `app`, and handlers that show error pages."""
    # A new application reads the branding settings again.
    bundle.cache_clear()
    bundle()
    app.register_blueprint(pages)
    app.register_error_handler(
        HTTPException, _as_page(responses.handle_http_error)
    )
    app.register_error_handler(
        VestibuleError, _as_page(responses.handle_vestibule_error)
    )
    app.register_error_handler(
        Exception, _as_page(responses.handle_unexpected_error)
    )


def is_page(request: VestibuleRequest) -> bool:
    """Return True if the response should be a page.

    This holds for the routes of the pages, and for unknown paths if the
    client prefers HTML, but for no path below `/api/`.
    """
    if request.path.startswith("/api/"):
        return False
    endpoint = request.endpoint
    if endpoint is not None:
        return endpoint.startswith(f"{pages.name}.")
    return request.prefers_page


def require_page_authentication(
    auth: Auth | None, request: VestibuleRequest
) -> Response | None:
    """Authenticate `request`; return a redirect to the sign-in page if needed.

    Set `request.current_user` and return `None` if the request may pass:
    it is authenticated, or the page is public. Abort with 401 or 403 for
    an unauthenticated client that does not prefer HTML.
    """
    if request.endpoint == _ASSET:
        return None
    if (
        not request.path.startswith(OWN_PREFIX)
        and application_host(request.environ) is not None
    ):
        access.check_request_origin(auth, request)
        return hand_over.lead_to_sign_in_host()
    # For GET too: `return_to` may be sent in a form.
    request.max_content_length = MAX_FORM_BYTES
    access.check_request_origin(auth, request)
    decision = _decide(auth, request)
    if decision.outcome is Outcome.PASSED:
        request.current_user = decision.principal
        if f"{request.path}/".startswith(f"{ADMIN}/"):
            # Unknown paths too: members cannot find out which ones exist.
            authorize(Action.SEE_ADMIN_PAGES)
        _refuse_stale_form(request)
        return None
    if request.endpoint is None or request.endpoint in PUBLIC_ENDPOINTS:
        if decision.limit is not None and _is_way_in(request):
            return _lead_to_factors(decision, request)
        return None
    if not request.prefers_page:
        abort(401 if decision.outcome is Outcome.MISSING else 403)
    if decision.limit is not None:
        return _lead_to_factors(decision, request)
    # Each path that takes a form has a page, too.
    back = own_url(request.full_path.rstrip("?"))
    response = redirect(f"{SIGN_IN}?{urlencode({RETURN_PARAMETER: back})}")
    if request.method == "POST":
        is_kept = keep_form(response)
        flash(response, Message.KEPT if is_kept else Message.NOT_SAVED)
    return response


def _decide(auth: Auth | None, request: VestibuleRequest) -> Decision:
    """Return the decision about a request for a page, and keep its session.

    A limited session may open the pages of second factors, and sign out.
    """
    decision = decide(auth, request)
    path = f"{request.path.rstrip('/')}/"
    if decision.limit is not None and path.startswith(_LIMITED_PAGES):
        decision = decision._replace(
            outcome=Outcome.PASSED, principal=decision.limited
        )
    return keep(decision, request)


def _lead_to_factors(
    decision: Decision, request: VestibuleRequest
) -> Response:
    """Return the redirect of a limited session to what it may open.

    A user who has to have a factor sets one up, or is asked for the one
    that there is, and is led back.
    """
    limit = decision.limit or Limit.RECOVERED
    if limit is not Limit.FACTOR_REQUIRED:
        return redirect(FACTORS, _LIMIT_MESSAGES[limit])
    back = return_url() or own_url(request.full_path.rstrip("?"))
    query = {RETURN_PARAMETER: back}
    if has_any(decision.limited.id):
        query = {**asked_query(Requirement(level=2)), **query}
        return redirect(f"{STEP_UP_PATH}?{urlencode(query)}")
    return redirect(f"{FACTORS}?{urlencode(query)}", _LIMIT_MESSAGES[limit])


def _is_way_in(request: VestibuleRequest) -> bool:
    """Return True if the request loads the sign-in page, or `/`."""
    return request.method == "GET" and request.path in ("/", SIGN_IN)


def _refuse_stale_form(request: VestibuleRequest) -> None:
    """Raise `AccountChanged` for a form that another account was shown.

    Someone else may have signed in since, in another tab.
    """
    if request.method != "POST" or request.endpoint in PUBLIC_ENDPOINTS:
        return
    shown_to = request.form.get(ACCOUNT_FIELD)
    if shown_to not in (None, getattr(request.current_user, "id", None)):
        raise AccountChanged("a form of another account was sent")


def _message_for(error: Any, status: int) -> str | None:
    """Return the sentence for the cause of an error, if it has one."""
    if isinstance(error, CrossSiteRequest):
        return cross_site_message(error) or gettext(_CROSS_SITE)
    if isinstance(error, VestibuleError):
        if status < 500:
            return error_message(error)
        text = _UNAVAILABLE_TEXTS.get(error.code)
        return None if text is None else gettext(text)
    path = current_request().path
    if status == 403 and f"{path}/".startswith(f"{ADMIN}/"):
        return gettext(_ADMINS_ONLY)
    return None


def _error_page(
    status: int, retry_after: str | None, message: str | None
) -> Response:
    """Return the page for an error; `retry_after` is in seconds.

    `message` replaces the text of the status. After a failure of the
    service, the page links to the same address; a form keeps its entries.
    """
    request = current_request()
    heading, text = _ERROR_TEXTS.get(
        status, _ERROR_TEXTS[400] if status < 500 else _SERVER_ERROR_TEXT
    )
    again = own_url(request.full_path.rstrip("?")) if status >= 500 else None
    response = page(
        "error.html",
        status,
        again=again,
        # The page is the same for each path that an admin alone may open.
        own_address=own_url(ACCOUNT),
        heading=gettext(heading),
        text=message or gettext(text),
        wait=(
            int(retry_after) if retry_after and retry_after.isdigit() else None
        ),
        code=status,
    )
    # The check for requests from other sites comes before all that fails.
    if again is not None and request.method == "POST":
        keep_form(response)
    return response


def _as_page(api_handler: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return an error handler that answers browsers with an error page."""

    def handle(error: Any) -> Any:
        """Return the API's response to `error`, as a page for a browser."""
        response = api_handler(error)
        request = current_request()
        if not (is_page(request) and request.prefers_page):
            return response
        if isinstance(response, HTTPException):
            response = response.get_response()
        shown = _error_page(
            response.status_code,
            response.headers.get("Retry-After"),
            _message_for(error, response.status_code),
        )
        for name, value in response.headers.items():
            if name not in ("Content-Type", "Content-Length"):
                shown.headers[name] = value
        return shown

    return handle
