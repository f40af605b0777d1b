#!/usr/bin/env python3
"""Views that lead to the pages of Vestibule, and their URL patterns.

A project includes this module in its URLs, before the patterns of the
admin, and names the view in its settings:
`LOGIN_URL = "vestibule:sign-in"`. `assurance_required` protects views of
the project that demand more of how the user signed in.
"""

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.cache import never_cache

from vestibule.protect.assurance import (
    View,
    demanded,
    denial_for_user,
    lead_page,
    refusing,
)
from vestibule.protect.django.configuration import sign_in_pages
from vestibule.protect.django.middleware import kept_principal, response_of
from vestibule.protect.sign_in import Target
from vestibule.protect.verify_response import PRINCIPAL

app_name = "vestibule"


@never_cache  # type: ignore[untyped-decorator]
def sign_in(request: HttpRequest) -> HttpResponse:
    """Redirect to the sign-in page, which leads back to `next`.

    A signed-in user comes here for a page that they may not see, such as
    the admin: signing in again would not help.
    """
    if request.user.is_authenticated:
        raise PermissionDenied
    back = request.GET.get(REDIRECT_FIELD_NAME, "")
    target = None
    if back.startswith("/") and url_has_allowed_host_and_scheme(back, None):
        target = _target(request, back)
    return HttpResponseRedirect(sign_in_pages().sign_in_url(target))


def assurance_required(
    *,
    level: int = 1,
    phishing_resistant: bool = False,
    fresh: int | None = None,
) -> Callable[[View], View]:
    """Protect a view: users must have proven who they are so well.

    `level=2` demands two factors, `phishing_resistant` a passkey, and
    `fresh` a proof of the last so many seconds. Page loads of users who
    lack that are led to the step-up page and back, those of users without a
    session at Vestibule to the sign-in page; all other requests get 401
    (RFC 9470). Raise `TypeError` or `ValueError` for a demand without
    meaning.
    """
    demand = demanded(level, phishing_resistant, fresh)

    def refusal(request: Any, *_: Any, **__: Any) -> HttpResponse | None:
        """Return the response to a request that may not pass."""
        principal = kept_principal(request)
        if PRINCIPAL not in request.META:
            raise ImproperlyConfigured("VestibuleMiddleware is not installed")
        denial = denial_for_user(principal, demand=demand)
        if denial is None:
            return None
        here = _target(request, request.get_full_path())
        return response_of(
            lead_page(denial, sign_in_pages(), request.META, here)
        )

    return lambda view: refusing(view, refusal, iscoroutinefunction(view))


def _target(request: HttpRequest, path: str) -> Target:
    """Return the address of a path of the project, with its query."""
    way, _, query = path.partition("?")
    return Target(request.scheme, request.get_host(), way, query)


def sign_out_form(request: HttpRequest, label: str = "Sign out") -> SafeString:
    """Return an HTML form with a button that signs the user out."""
    here = Target(request.scheme, request.get_host(), request.path)
    return mark_safe(sign_in_pages().sign_out_form(here, label))


def template_variables(request: HttpRequest) -> dict[str, SafeString]:
    """Return `vestibule_sign_out`, as a context processor of templates."""
    return {"vestibule_sign_out": sign_out_form(request)}


urlpatterns = [
    path("vestibule/sign-in", sign_in, name="sign-in"),
    # The admin has a login form of its own, for passwords of the project.
    path("admin/login/", sign_in),
]
