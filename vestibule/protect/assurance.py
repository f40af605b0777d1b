#!/usr/bin/env python3
"""What a route demands of how its user signed in, the same everywhere.

A route may demand a level, a sign-in that cannot be phished, or a proof of
the last seconds. A user who lacks that is led to the step-up page of
Vestibule and back, if the request loads a page; all other requests get the
401 of RFC 9470. That is what the rules of forward authentication do.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import wraps
from typing import Any, TypeVar, cast

from vestibule.core import clock
from vestibule.core.assurance import (
    MAX_FRESH_SECONDS,
    MAX_LEVEL,
    Assurance,
    Requirement,
    missing_facts,
)
from vestibule.core.errors import VestibuleUnavailable
from vestibule.core.redirects import is_page_load
from vestibule.protect.denials import (
    NOT_RECENT,
    UNAUTHORIZED,
    Denial,
    denial_for,
    denial_for_error,
)
from vestibule.protect.sign_in import SignInPages, Target
from vestibule.protect.verify_response import Principal

View = TypeVar("View", bound=Callable[..., Any])

#: Seconds by which Vestibule's clock may be ahead of this one.
MAX_CLOCK_LEAD_SECONDS = 5.0


def requirement(
    level: int = 1,
    phishing_resistant: bool = False,
    fresh: int | None = None,
) -> Requirement | None:
    """Return what a route demands, `None` if that is nothing.

    `level` is 1 or 2, and `fresh` the seconds since the last proof at most.
    Raise `TypeError` or `ValueError` for a demand that has no meaning, or
    that no user can meet.
    """
    if type(level) is not int or type(phishing_resistant) is not bool:
        raise TypeError("give level as a number, phishing_resistant as a bool")
    if fresh is not None and type(fresh) is not int:
        raise TypeError("give fresh as a whole number of seconds")
    if not 1 <= level <= MAX_LEVEL:
        raise ValueError(f"level must be 1 to {MAX_LEVEL}")
    if fresh is not None and not 1 <= fresh <= MAX_FRESH_SECONDS:
        raise ValueError(f"fresh must be 1 to {MAX_FRESH_SECONDS} seconds")
    found = Requirement(level, phishing_resistant, fresh)
    return None if found == Requirement() else found


def demanded(
    level: int, phishing_resistant: bool, fresh: int | None
) -> Requirement:
    """Return what a decorator demands; raise as `requirement`.

    Raise `ValueError` if it demands nothing: every user would pass.
    """
    found = requirement(level, phishing_resistant, fresh)
    if found is None:
        raise ValueError("demand level=2, phishing_resistant=True or fresh=…")
    return found


def denial_for_user(
    principal: Principal | None,
    roles: tuple[str, ...] = (),
    demand: Requirement | None = None,
    optional: bool = False,
) -> Denial | None:
    """Return the denial for `principal`, or `None` if they may pass.

    `roles` and `optional` are as in `denial_for`.
    """
    denial = denial_for(principal, roles, optional)
    if denial is not None or principal is None or demand is None:
        return denial
    step_up = Denial(401, "insufficient user authentication", demand)
    return _denial_unless(demand, principal, step_up)


def denial_unless_recent(principal: Principal) -> Denial | None:
    """Return `None` if the user gave a proof within `REAUTH_WINDOW`.

    Vestibule says how many seconds that is.
    """
    window = principal.reauth_window
    if window is None:
        return _unknown()
    return _denial_unless(Requirement(fresh=window), principal, NOT_RECENT)


def refusing(view: View, refusal: Callable[..., Any], is_async: bool) -> View:
    """Return `view`, a function or a coroutine function, behind a check.

    `refusal` gets the arguments of the view, and returns the response to a
    request that may not pass, else `None`.
    """

    @wraps(view)
    async def checked_async(*args: Any, **more: Any) -> Any:
        """Await the view, or refuse the request."""
        refused = refusal(*args, **more)
        return await view(*args, **more) if refused is None else refused

    @wraps(view)
    def checked(*args: Any, **more: Any) -> Any:
        """Call the view, or refuse the request."""
        refused = refusal(*args, **more)
        return view(*args, **more) if refused is None else refused

    return cast(View, checked_async if is_async else checked)


def lead_page(
    denial: Denial,
    pages: SignInPages | None,
    environ: Mapping[str, Any],
    here: Target,
) -> Denial:
    """Return `denial`, which leads a page load to where the user proves more.

    Without `pages`, and for other requests, it stays as it is. `environ`
    has the method and the headers as in WSGI, and `here` is the address of
    the request, to which the user returns.
    """
    is_known = denial in (UNAUTHORIZED, NOT_RECENT)
    if pages is None or not (is_known or denial.demand is not None):
        return denial
    if not is_page_load(environ):
        return denial
    is_safe = environ.get("REQUEST_METHOD") in ("GET", "HEAD")
    # The data of a form is gone after the user has proven more.
    back = here if is_safe else None
    if denial.demand is None:
        url = pages.sign_in_url(back, again=denial is NOT_RECENT)
    else:
        url = pages.step_up_url(denial.demand, back)
    return denial._replace(status=302 if is_safe else 303, location=url)


def _denial_unless(
    demand: Requirement, principal: Principal, denial: Denial
) -> Denial | None:
    """Return `denial` unless the user's session meets the `demand`."""
    if principal.level < 1:
        return _unknown()
    now, auth_time = clock.now(), None
    if principal.auth_time is not None:
        auth_time = datetime.fromtimestamp(principal.auth_time, UTC)
        lead = (auth_time - now).total_seconds()
        if 0 < lead <= MAX_CLOCK_LEAD_SECONDS:
            now = auth_time
    held = Assurance(principal.level, principal.phishing_resistant, auth_time)
    return denial if missing_facts(demand, held, now) else None


def _unknown() -> Denial:
    """Return the denial for a user whose facts Vestibule did not send."""
    return denial_for_error(
        VestibuleUnavailable(
            "Vestibule does not say how the user signed in: it is older than"
            " this package"
        )
    )
