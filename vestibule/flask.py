#!/usr/bin/env python3
"""Logins in a Flask application of one's own, without a Vestibule server.

`Login(app)` authenticates by one of the five mechanisms, and answers
logins, logouts and confirmations of the password as the service does: it
throttles guesses, refuses cross-site requests, ends the session that came
with a login, and records events with the client's address and device.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    after_this_request,
    current_app,
    redirect,
    request,
)
from werkzeug.exceptions import BadRequest
from werkzeug.local import LocalProxy

from vestibule.audit import log, writer
from vestibule.checks.startup import check_embedded
from vestibule.core import settings
from vestibule.core.assurance import Role
from vestibule.core.errors import (
    ConfigurationError,
    ReauthenticationRequired,
    VestibuleError,
)
from vestibule.core.redirects import (
    RETURN_PARAMETER,
    is_page_load,
    safe_redirect,
    sign_in_url,
)
from vestibule.db.models.user import User
from vestibule.http.access import (
    Outcome,
    identify,
    keep,
    refuse_cross_site,
    start_request,
)
from vestibule.http.login import (
    MAX_FORM_BYTES,
    clear_session_cookie,
    cookie_cleared_without_database,
    log_in,
    log_out,
    set_session_cookie,
)
from vestibule.http.recent_auth import (
    is_recently_authenticated,
    reauthenticate_user,
)
from vestibule.http.request import current_request
from vestibule.http.responses import (
    add_challenge,
    error_response,
    json_response,
)
from vestibule.mechanisms import mechanism_for
from vestibule.mechanisms.auth import Auth
from vestibule.mechanisms.session_mechanism import sessions_of, sweep_for
from vestibule.sessions.sweeper import Sweeper

View = TypeVar("View", bound=Callable[..., Any])

_EXTENSION_NAME = "vestibule-login"
#: The key of a request's environment that says that its user is known.
_IS_KNOWN = "vestibule.is_known"


class Login:
    """The extension that authenticates users by a mechanism.

    `auth` is a mechanism; by default it is the one of `AUTH_TYPE`. The
    routes `POST login`, `POST` or `DELETE logout` and `POST refresh` are
    below `prefix`; `None` leaves them out, for views of one's own. `page`
    is the path of the application's own sign-in page, to which page loads
    are redirected. Raise `ConfigurationError` for settings that cannot
    work.
    """

    def __init__(
        self,
        app: Flask | None = None,
        auth: Auth | None = None,
        *,
        prefix: str | None = "/auth",
        page: str | None = None,
    ) -> None:
        """Install the extension in `app`, or later by `init_app`."""
        self.auth = _mechanism() if auth is None else auth
        check_embedded(type(self.auth))
        self._prefix = prefix
        self.page = page
        if sessions_of(self.auth).has_login and not (
            settings.SESSION_NAME.read()
        ):
            raise ConfigurationError(
                settings.SESSION_NAME.name, "must be set for logins"
            )
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Install the extension in `app`."""
        app.extensions[_EXTENSION_NAME] = self
        sweeper = Sweeper(sweep_for(self.auth))

        def begin() -> None:
            """Set the client of the request, for the log and sessions."""
            sweeper.ensure_running()
            start_request(self.auth, current_request())

        app.before_request(begin)
        app.context_processor(lambda: {"current_user": current_user})
        app.register_error_handler(VestibuleError, _handle_error)
        if self._prefix is not None:
            app.register_blueprint(_routes(), url_prefix=self._prefix)
        log.set_listener(writer.enqueue)

    def log_in(self, email: str, password: str) -> User | None:
        """Log a user in; the response to this request sets the cookie.

        `None` if the email or the password is wrong. Raise 403 for a
        cross-site request, `Throttled` after too many failures (429), and
        `ServiceBusy` (503).
        """
        if not sessions_of(self.auth).has_login:
            abort(404)
        own = current_request()
        found = User.search({"email": email})
        result = log_in(self.auth, own, found, email, password)
        if result is None:
            return None

        @after_this_request
        def set_cookie(response: Response) -> Response:
            """Set the session cookie."""
            result.set_cookie(response, own)
            return response

        own.current_user = result.user
        own.environ[_IS_KNOWN] = True
        return result.user

    def log_out(self) -> bool:
        """End the session; the response to this request clears the cookie.

        Return False if the request has no session.
        """
        refuse_cross_site(current_request())
        with cookie_cleared_without_database():
            _find_current_user()
        after_this_request(_clear_cookie)
        return log_out(self.auth)

    def confirm_password(self, password: str) -> None:
        """Confirm the password of the current user; renew the session.

        Raise `WrongPassword` (401), `Throttled` (429), or 403 for a
        cross-site request.
        """
        user = _find_current_user()
        if user is None or not sessions_of(self.auth).has_store:
            abort(401 if user is None else 404)
        refuse_cross_site(current_request())
        renewed = reauthenticate_user(user, password)

        @after_this_request
        def set_cookie(response: Response) -> Response:
            """Set the cookie of the session, which has a new id."""
            return set_session_cookie(response, renewed)

    def redirect_back(self, default: str = "/") -> Any:
        """Redirect to the safe `return_to` of the request, else `default`."""
        back = safe_redirect(request.values.get(RETURN_PARAMETER))
        return redirect(back or default, 303)


def _find_current_user() -> User | None:
    """Return the user of the request, who is authenticated once."""
    login, own = _login(), current_request()
    if not own.environ.get(_IS_KNOWN):
        decision = keep(identify(login.auth, own), own)
        if decision.outcome is Outcome.PASSED:
            own.current_user = decision.principal
        own.environ[_IS_KNOWN] = True
    return own.current_user


#: The signed-in user; false and without attributes if anonymous.
current_user = cast(User, LocalProxy(_find_current_user))


def login_required(view: View) -> View:
    """Protect a view: anonymous requests get 401.

    Page loads are redirected to the sign-in page, if the application has
    one. A cross-site request that may change something gets 403.
    """
    return _protect(view)


def role_required(*roles: str) -> Callable[[View], View]:
    """Protect a view: users without one of the `roles` get 403.

    Raise `ValueError` for a role that no user can have.
    """
    names = tuple(Role(role) for role in roles)
    if not names:
        raise TypeError("give roles by their names")
    return lambda view: _protect(view, names)


def fresh_login_required(view: View) -> View:
    """Protect a view: the password must be confirmed recently.

    How recently, `REAUTH_WINDOW` says; otherwise the answer is 403.
    """
    return _protect(view, is_fresh=True)


def _protect(
    view: View, roles: tuple[Role, ...] = (), is_fresh: bool = False
) -> View:
    """Return `view`, protected by the `roles`."""

    @wraps(view)
    def protected(*args: Any, **kwargs: Any) -> Any:
        """Call the view, or deny the request."""
        user = _find_current_user()
        if user is None:
            return _unauthorized()
        own = current_request()
        refuse_cross_site(own)
        if roles and user.role not in roles:
            abort(403)
        if is_fresh and not is_recently_authenticated(own):
            raise ReauthenticationRequired("the password is not recent")
        return current_app.ensure_sync(view)(*args, **kwargs)

    return cast(View, protected)


def _routes() -> Blueprint:
    """Return the routes that log in, log out and confirm a password."""
    routes = Blueprint(_EXTENSION_NAME, __name__)

    @routes.post("/login")
    def login() -> Response:
        """Log in with an email and a password, of a form or in JSON."""
        email, password = _field("email"), _field("password")
        user = _login().log_in(email, password)
        return _wrong() if user is None else json_response(user.to_json())

    @routes.route("/logout", methods=["POST", "DELETE"])
    def logout() -> Response:
        """Log out."""
        if not _login().log_out():
            return _unauthorized()
        return json_response({})

    @routes.post("/refresh")
    def refresh() -> Response:
        """Confirm the password."""
        _login().confirm_password(_field("password"))
        return json_response(current_user.to_json())

    return routes


def _field(name: str) -> str:
    """Return a field of the body, which is a form or a JSON object.

    Raise 400 without it, and 413 for a body that is too long.
    """
    request.max_content_length = MAX_FORM_BYTES
    value: Any = request.form.get(name)
    if request.is_json:
        body = request.get_json(silent=True)
        value = body.get(name) if isinstance(body, dict) else None
    if not isinstance(value, str) or not value:
        raise BadRequest(f"{name} missing")
    return value


def _unauthorized() -> Response:
    """Return the redirect to the sign-in page, or the 401."""
    page, own = _login().page, current_request()
    if page is not None and is_page_load(own.environ):
        # The data of a form is gone after signing in.
        is_safe = request.method in ("GET", "HEAD")
        back = request.full_path.rstrip("?") if is_safe else None
        response = Response(status=303)
        response.headers["Location"] = sign_in_url(
            page, (None, None, back), ()
        )
        response.headers["Cache-Control"] = "no-store"
        return response
    return add_challenge(
        json_response({"error": "Unauthorized"}, 401), own.mechanism
    )


def _wrong() -> Response:
    """Return the response to a wrong email or password."""
    return add_challenge(
        json_response({"error": "wrong email or password"}, 401),
        current_request().mechanism,
    )


def _clear_cookie(response: Response) -> Response:
    """Return `response`, with which the browser deletes the cookie."""
    clear_session_cookie(response)
    return response


def _handle_error(error: VestibuleError) -> Response:
    """Return the response of the service to an error."""
    return error_response(error, current_request())


def _mechanism() -> Auth:
    """Return the mechanism of `AUTH_TYPE`."""
    mechanism = mechanism_for(settings.AUTH_TYPE.read())
    if mechanism is None:
        raise ConfigurationError(
            settings.AUTH_TYPE.name, "must be set to log users in"
        )
    return mechanism()


def _login() -> Login:
    """Return the extension of the current application."""
    login: Login | None = current_app.extensions.get(_EXTENSION_NAME)
    if login is None:
        raise LookupError("Login(app) was not installed")
    return login
