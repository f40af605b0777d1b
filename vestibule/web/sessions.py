#!/usr/bin/env python3
"""The user's own sessions: the list, signing out, and why a session ended.

The current session is always listed and cannot be ended there; the user
signs out instead. A redirect for password managers is here too.
"""

from collections.abc import Sequence
from urllib.parse import urlencode

from flask import Response

from vestibule.accounts.revocation import (
    revoke_others,
    revoke_own,
    untrust_browser,
)
from vestibule.api.views.sessions import (
    applications_of,
    current_mechanism_and_user,
)
from vestibule.core.errors import ServiceBusy, VestibuleError
from vestibule.db.models.user import User
from vestibule.http.login import clear_session_cookie, log_out
from vestibule.http.request import current_actor, current_request
from vestibule.http.second_step import browsers_trusted_by
from vestibule.mechanisms.session_mechanism import SessionMechanism
from vestibule.sessions.lifetime import expires_at, expiry_reason
from vestibule.sessions.session import EndReason, Session
from vestibule.web.activity import device_label, sign_in_label
from vestibule.web.i18n import N_, gettext
from vestibule.web.messages import Message
from vestibule.web.routes import (
    ACCOUNT,
    PASSWORD,
    SESSIONS,
    SIGN_OUT,
    SIGNED_OUT,
    pages,
    public,
    with_return_url,
)
from vestibule.web.templating import entry_page, page, redirect

#: Sessions per page.
PAGE_ROWS = 10
_END = f"{SESSIONS}/end"
_END_OTHERS = f"{SESSIONS}/end-others"
_UNTRUST = f"{SESSIONS}/untrust"
_NOT_ME = f"{SESSIONS}/not-me"
#: Why a session ended, for the browser that still has its cookie.
_ENDINGS: dict[EndReason | None, str] = {
    EndReason.EXPIRED: N_("Your session has expired. Please sign in again."),
    EndReason.IDLE_TIMEOUT: N_(
        "You were away for a while, so you were signed out."
    ),
    EndReason.CLOCK_CHANGED: N_(
        "The server's clock was changed, which ended your session."
    ),
    EndReason.LOGGED_OUT: N_("You have signed out."),
    EndReason.REPLACED: N_(
        "You signed in again in this browser, which ended this session."
    ),
    EndReason.ROTATED: N_(
        "This session was renewed elsewhere. Please sign in again."
    ),
    EndReason.TOO_MANY_SESSIONS: N_(
        "You signed in on too many devices, which ended this session."
    ),
    EndReason.REVOKED: N_("You ended this session from another device."),
    EndReason.REVOKED_BY_ADMIN: N_("An administrator ended this session."),
    EndReason.PASSWORD_CHANGED: N_(
        "Your password was changed, which ended this session. Sign in with"
        " the new one."
    ),
    EndReason.FACTORS_RESET: N_(
        "Your second factors were removed, which signed you out everywhere."
    ),
    EndReason.PASSWORD_RESET: N_(
        "Your password was reset, which ended this session. Sign in with"
        " the new one."
    ),
    EndReason.USER_DISABLED: N_(
        "Your account is disabled. Your administrator can tell you more."
    ),
    EndReason.USER_REMOVED: N_("This account no longer exists."),
}
_ANY_ENDING = N_("Your session has ended. Please sign in again.")


@pages.get(_UNTRUST)
@pages.get(SESSIONS)
def show_sessions() -> Response:
    """Show the current session, then the others, newest first."""
    return _sessions_page(200)


@pages.get(_END)
def confirm_end_own_session() -> Response:
    """Ask to confirm that the session in the query is to be ended."""
    return _confirm_page(
        gettext("Sign out this session?"),
        gettext("The browser that uses it is signed out immediately."),
        gettext("Sign out"),
    )


@pages.post(_END)
def end_own_session_page() -> Response:
    """End the session that the form names, if it belongs to the user."""
    auth, user = current_mechanism_and_user()
    handle = current_request().form.get("session", "")
    if _is_current(handle):
        return _sessions_page(
            400,
            gettext(
                "This is the session that you are using. To end it, sign out."
            ),
        )
    try:
        ended = revoke_own(auth.store, user.id, handle)
    except VestibuleError as error:
        return _failed(error)
    return redirect(
        _list_path(),
        Message.SESSION_ENDED if ended else Message.SESSION_GONE,
    )


@pages.get(_NOT_ME)
def confirm_not_me() -> Response:
    """Ask to confirm that a stranger uses the session in the query."""
    return _confirm_page(
        gettext("This wasn't you?"),
        gettext(
            "The session is signed out immediately. Then you choose a new"
            " password, which signs out all other sessions too."
        ),
        gettext("Sign out and change the password"),
    )


@pages.post(_NOT_ME)
def end_stranger_session_page() -> Response:
    """End the session that the form names, and ask for a new password."""
    auth, user = current_mechanism_and_user()
    handle = current_request().form.get("session", "")
    if not _is_current(handle):
        try:
            revoke_own(auth.store, user.id, handle)
        except VestibuleError as error:
            return _failed(error)
    return redirect(PASSWORD, Message.NOT_ME)


@pages.post(_UNTRUST)
def stop_trusting_browser_page() -> Response:
    """Ask for the second factor again in the browser that the form names."""
    user = current_mechanism_and_user()[1]
    handle = current_request().form.get("browser", "")
    is_gone = untrust_browser(user.id, handle, current_actor())
    return redirect(SESSIONS, Message.UNTRUSTED if is_gone else None)


@pages.get(_END_OTHERS)
def confirm_end_other_sessions() -> Response:
    """Ask to confirm that all sessions but this one are to be ended."""
    return page(
        "confirm.html",
        question=gettext("Sign out all other sessions?"),
        subject=None,
        consequence=gettext(
            "You stay signed in here and are signed out everywhere else."
        ),
        button=gettext("Sign out all other sessions"),
        session=None,
        cancel=SESSIONS,
    )


@pages.post(_END_OTHERS)
def end_other_sessions_page() -> Response:
    """End all sessions of the user except the current one."""
    auth, user = current_mechanism_and_user()
    try:
        ended = revoke_others(auth.store, user.id, current_request().session)
    except VestibuleError as error:
        return _failed(error)
    return redirect(
        SESSIONS, Message.OTHERS_ENDED if ended else Message.NO_OTHERS
    )


def _confirm_page(question: str, consequence: str, button: str) -> Response:
    """Return the page that asks about the session in the query.

    Redirect to the list if the user has no such session.
    """
    auth, user = current_mechanism_and_user()
    session = auth.store.find_by_handle(
        current_request().args.get("session", "")
    )
    if session is None or session.user_id != user.id:
        return redirect(_list_path(), Message.SESSION_GONE)
    return page(
        "confirm.html",
        question=question,
        subject=" · ".join(
            filter(None, (device_label(session.user_agent), session.ip))
        ),
        consequence=consequence,
        button=button,
        session=session.id,
        cancel=_list_path(),
    )


def _is_current(handle: str) -> bool:
    """Return True if this is the session of the current request."""
    current = current_request().session
    return current is not None and current.id == handle


def _place() -> dict[str, str]:
    """Return the query of the current page of the list."""
    place = current_request().args.get("place")
    return {"place": place} if place else {}


def _list_path() -> str:
    """Return the path of the page of the list that the user came from."""
    query = urlencode(_place())
    return f"{SESSIONS}?{query}" if query else SESSIONS


def _failed(error: VestibuleError) -> Response:
    """Return the page that says that not all sessions were ended."""
    if error.status < 500:
        raise error
    response = _sessions_page(
        error.status,
        gettext(
            "This could not be done right now. The sessions "
            "listed here are still live. Try again in a moment."
        ),
    )
    if isinstance(error, ServiceBusy):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _sessions_page(status: int, alert: str | None = None) -> Response:
    """Return the page of sessions that the request's cursor selects."""
    auth, user = current_mechanism_and_user()
    current = current_request().session
    cursor = current_request().args.get("place")
    limits = auth.limits()
    found, next_cursor = _live_sessions(auth, user, cursor)
    others = [
        each for each in found if current is None or each.id != current.id
    ]
    return page(
        "sessions.html",
        status,
        alert=alert,
        current=current,
        others=others,
        trusted=browsers_trusted_by(user, auth),
        is_first=not cursor,
        next=next_cursor,
        place=cursor,
        expires_at=lambda session: expires_at(session, limits),
        device_label=device_label,
        sign_in_label=sign_in_label,
        hosts=applications_of(
            auth.store,
            [each.id for each in (current, *found) if each is not None],
        ),
    )


def _live_sessions(
    auth: SessionMechanism, user: User, cursor: str | None
) -> tuple[Sequence[Session], str | None]:
    """Return a page of live sessions, and the cursor of the next page.

    Expired sessions that are not deleted yet are skipped.
    """
    limits, now = auth.limits(), auth.now()
    found: list[Session] = []
    while True:
        rows, cursor = auth.store.page(user.id, PAGE_ROWS, cursor)
        found += [
            each for each in rows if expiry_reason(each, limits, now) is None
        ]
        if cursor is None or len(found) >= PAGE_ROWS:
            return found, cursor


@pages.get(SIGN_OUT)
@public
def confirm_sign_out() -> Response:
    """Ask to confirm: a link, which any site may follow, ends nothing."""
    if current_request().current_user is None:
        return redirect(with_return_url(SIGNED_OUT))
    return entry_page("sign_out.html")


@pages.post(SIGN_OUT)
@public
def sign_out() -> Response:
    """End the session, if it is still live, and clear its cookie."""
    response = redirect(with_return_url(SIGNED_OUT))
    log_out(current_request().mechanism)
    clear_session_cookie(response)
    return response


@pages.get(SIGNED_OUT)
@public
def show_signed_out() -> Response:
    """Confirm that the user is signed out."""
    if current_request().current_user is not None:
        return redirect(ACCOUNT)
    return entry_page("signed_out.html")


@pages.get("/.well-known/change-password")
@public
def redirect_to_new_password() -> Response:
    """Redirect password managers to the form that changes a password.

    See https://w3c.github.io/webappsec-change-password-url/.
    """
    return redirect(f"{ACCOUNT}#new-password")


def end_reason_message(reason: EndReason | None) -> str:
    """Return the sentence that says why a session ended."""
    return gettext(_ENDINGS.get(reason, _ANY_ENDING))
