#!/usr/bin/env python3
"""The Flask extension: the signed-in user, and protected views.

A protected view runs only after its user is known. No view sees a header
by which a client could claim to be another user.
"""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, NamedTuple, NoReturn, Self, TypeVar, cast

from flask import Flask, Response, abort, current_app, request
from markupsafe import Markup
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized
from werkzeug.local import LocalProxy

from vestibule.core.assurance import Requirement
from vestibule.protect.assurance import (
    demanded,
    denial_for_user,
    denial_unless_recent,
    lead_page,
)
from vestibule.protect.backends import (
    SETTINGS,
    Backend,
    Installation,
    backend_for,
)
from vestibule.protect.denials import (
    BACKEND_ERRORS,
    UNAUTHORIZED,
    Denial,
    denial_for_error,
    validate_roles,
)
from vestibule.protect.request_headers import strip_identity_headers
from vestibule.protect.sign_in import SignInPages, Target, quoted_path
from vestibule.protect.verify_response import DEFAULT_TIMEOUT, Principal
from vestibule.protect.wsgi import find_principal

View = TypeVar("View", bound=Callable[..., Any])

_EXTENSION_NAME = "vestibule"
#: The key of the denial of a request whose user cannot be determined.
_DENIAL = "vestibule.denial"


class _State(NamedTuple):
    """What the extension keeps in `app.extensions`."""

    backend: Backend
    #: `None` if page loads are refused like other requests.
    pages: SignInPages | None


class Vestibule:
    """The extension that determines the user of each request.

    `url` is the address of a Vestibule; without it, the installation of
    this process is used. With `audience`, the host of the application, the
    signed identity from forward authentication counts instead of the
    cookie. `timeout` is in seconds. `pages` is the address of Vestibule's
    pages as browsers see it: "" on the application's host, a path below
    which they are there, a URL, or `None` without pages. Raise
    `InvalidValue` or `ConfigurationError` for arguments or settings that
    cannot work.
    """

    def __init__(
        self,
        app: Flask | None = None,
        url: str | Installation | None = SETTINGS,
        *,
        audience: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        pages: str | None = "",
    ) -> None:
        """Install the extension in `app`, or later by `init_app`."""
        self._pages = None if pages is None else SignInPages(pages)
        self._backend = backend_for(url, audience, timeout)
        if app is not None:
            self.init_app(app)

    @classmethod
    def in_process(
        cls,
        app: Flask | None = None,
        *,
        database_url: str | None = None,
        session_name: str | None = None,
        **options: Any,
    ) -> Self:
        """Return an extension that uses the database of a Vestibule itself.

        `database_url` and `session_name` count before the settings of this
        process. The other arguments are those of the class. Raise
        `ConfigurationError` for settings or a database that cannot work.
        """
        installation = Installation(database_url, session_name)
        return cls(app, installation, **options)

    def init_app(self, app: Flask) -> None:
        """Install the extension in `app`."""
        app.extensions[_EXTENSION_NAME] = _State(self._backend, self._pages)
        app.context_processor(_template_variables)
        inner = app.wsgi_app

        def without_identity(
            environ: dict[str, Any], start_response: Any
        ) -> Iterable[bytes]:
            """Remove identity headers of the client before the request."""
            strip_identity_headers(environ)
            return inner(environ, start_response)

        app.wsgi_app = without_identity  # type: ignore[method-assign]

    def close(self) -> None:
        """Close the connections to Vestibule."""
        self._backend.close()


def _find_current_user() -> Principal | None:
    """Return the user of this request, or deny it if that fails."""
    environ = request.environ
    denial: Denial | None = environ.get(_DENIAL)
    if denial is not None:
        # Asking again would wait for the time limit once more.
        _abort(denial)
    try:
        return find_principal(environ, _state().backend)
    except BACKEND_ERRORS as error:
        environ[_DENIAL] = denial_for_error(error)
        _abort(environ[_DENIAL])


#: The signed-in user; false and without attributes if anonymous.
current_user = cast(Principal, LocalProxy(_find_current_user))


def login_required(view: View) -> View:
    """Protect a view from anonymous requests.

    Page loads are redirected to sign in and return afterwards; all other
    requests get 401.
    """
    return _protect(view, ())


def role_required(*roles: str) -> Callable[[View], View]:
    """Protect a view: users without one of the `roles` get 403.

    Anonymous requests are answered as by `login_required`. Raise
    `TypeError` without roles, `ValueError` for a role that no user can
    have.
    """
    names = validate_roles(roles)
    return lambda view: _protect(view, names)


def fresh_login_required(view: View) -> View:
    """Protect a view that needs a recent proof: a password or a factor.

    How recent, `REAUTH_WINDOW` of Vestibule says. Without it, page loads
    are redirected to the sign-in page, and all other requests get 403.
    """
    return _protect(view, (), is_fresh=True)


def assurance_required(
    *,
    level: int = 1,
    phishing_resistant: bool = False,
    fresh: int | None = None,
) -> Callable[[View], View]:
    """Protect a view: users must have proven who they are so well.

    `level=2` demands two factors, `phishing_resistant` a passkey, and
    `fresh` a proof of the last so many seconds. Users who lack that are led
    to the step-up page and back if they load a page; all other requests get
    401 (RFC 9470). Anonymous requests are answered as by `login_required`.
    Raise `TypeError` or `ValueError` for a demand without meaning.
    """
    demand = demanded(level, phishing_resistant, fresh)
    return lambda view: _protect(view, (), demand)


def sign_in_url(return_to: str | None = None) -> str:
    """Return the URL of the sign-in page.

    The user returns to `return_to`, a path of this application, or by
    default to the page of the current request. Raise `LookupError` without
    pages.
    """
    return _pages().sign_in_url(_target(return_to))


def sign_out_form(label: str = "Sign out") -> Markup:
    """Return an HTML form with a button that signs the user out.

    The text of the button is `label`. Raise `LookupError` without pages.
    """
    return Markup(_pages().sign_out_form(_target(None), label))


def _template_variables() -> dict[str, Any]:
    """Return what each template can use."""
    return {
        "current_user": LocalProxy(_find_template_user),
        "sign_in_url": sign_in_url,
        "sign_out_form": sign_out_form,
    }


def _find_template_user() -> Principal | None:
    """Return the user of this request, for a template.

    The page of an error handler must not fail because the user cannot be
    determined, which is what it reports.
    """
    return None if _DENIAL in request.environ else _find_current_user()


def _protect(
    view: View,
    roles: tuple[str, ...],
    demand: Requirement | None = None,
    is_fresh: bool = False,
) -> View:
    """Return `view`, protected by the `roles` and the `demand`."""

    @wraps(view)
    def protected(*args: Any, **kwargs: Any) -> Any:
        """Call the view, or deny the request."""
        principal = _find_current_user()
        denial = denial_for_user(principal, roles, demand)
        if denial is None and principal is not None and is_fresh:
            denial = denial_unless_recent(principal)
        if denial is not None:
            _deny(denial)
        return current_app.ensure_sync(view)(*args, **kwargs)

    return cast(View, protected)


def _deny(denial: Denial) -> NoReturn:
    """Redirect a page load if the user can prove more, or abort."""
    led = lead_page(denial, _state().pages, request.environ, _target(None))
    if led.location is not None:
        abort(Response(status=led.status, headers=led.headers))
    _abort(denial)


class _StepUp(Unauthorized):
    """The 401 to a user who has to prove more (RFC 9470)."""

    def __init__(self, denial: Denial) -> None:
        """Take the message and the challenge of `denial`."""
        super().__init__(denial.text)
        self._headers = denial.headers

    def get_headers(self, *args: Any, **kwargs: Any) -> list[tuple[str, str]]:
        """Return the headers of the response, with the challenge."""
        return [*super().get_headers(*args, **kwargs), *self._headers.items()]


def _abort(denial: Denial) -> NoReturn:
    """Abort the request; the application may have an error handler."""
    if denial == UNAUTHORIZED:
        raise Unauthorized(
            www_authenticate=WWWAuthenticate(
                "cookie", {"realm": _EXTENSION_NAME}
            )
        )
    if denial.demand is not None:
        raise _StepUp(denial)
    abort(denial.status, denial.text)


def _state() -> _State:
    """Return what was installed in the application."""
    state: _State | None = current_app.extensions.get(_EXTENSION_NAME)
    if state is None:
        # `bool(current_user)` would turn a RuntimeError into False.
        raise LookupError("Vestibule(app) was not installed")
    return state


def _pages() -> SignInPages:
    """Return the pages; raise `LookupError` if there are none."""
    pages = _state().pages
    if pages is None:
        raise LookupError("Vestibule(app, pages=None) has no pages")
    return pages


def _target(path: str | None) -> Target:
    """Return the address of a `path` here, or of the current request."""
    if path is not None:
        path, _, query = path.partition("?")
        return Target(request.scheme, request.host, path, query)
    environ = request.environ
    mounted = environ.get("SCRIPT_NAME", "") + environ["PATH_INFO"]
    query = environ.get("QUERY_STRING", "")
    return Target(request.scheme, request.host, quoted_path(mounted), query)
