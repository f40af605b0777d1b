#!/usr/bin/env python3
"""How a page is written: templates become an answer, with its policy.

Its law: every value is escaped, every page has the same strict policy,
and a name that no one gave is an error, not an empty text.
"""

from collections.abc import Iterable
from functools import cache, partial
from typing import Any

from babel.numbers import format_decimal
from jinja2 import Environment, PackageLoader, StrictUndefined

from vestibule.core import settings
from vestibule.http.flask_app import MinimalResponse
from vestibule.http.request import current_request
from vestibule.web import flash
from vestibule.web.assets import bundle
from vestibule.web.i18n import catalogue, exact_time, language, time_ago
from vestibule.web.messages import format_duration

#: Nothing from elsewhere, nothing written into the page, no frame around.
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src"
    " 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    # Without it browsers hide the origin of a form's own page.
    "Referrer-Policy": "same-origin",
}


def page(template: str, status: int = 200, **values: Any) -> MinimalResponse:
    """Return the page that `template` makes of `values`."""
    code = language()
    told = flash.flashed_message()
    text = (
        _environment(code)
        .get_template(template)
        .render(
            language=code,
            brand=settings.BRAND_NAME.read(),
            assets=bundle(),
            user=current_request().current_user,
            path=current_request().path,
            registration=settings.REGISTRATION.read() == "open",
            notice=told,
            **values,
        )
    )
    response = MinimalResponse(
        text, status, headers=_HEADERS, mimetype="text/html"
    )
    if told is not None:
        flash.clear_flash(response)
    return response


def new_password_page(
    template: str,
    status: int,
    names: Iterable[str],
    errors: dict[str, str] | None = None,
    alert: str | None = None,
    **more: Any,
) -> MinimalResponse:
    """Return a form that asks for a new password.

    It has what was typed into the fields `names`, of which the password
    is none.
    """
    form = current_request().form
    return page(
        template,
        status,
        alert=alert,
        errors=errors or {},
        values={name: form.get(name, "") for name in names},
        least=settings.PASSWORD_MIN_LENGTH.read(),
        **more,
    )


def allow_form_redirect(
    response: MinimalResponse, address: str | None
) -> MinimalResponse:
    """Let the form of a page end at `address`, perhaps of another host.

    Chromium holds a page's policy against the redirects of its forms too.
    """
    if address is not None and not address.startswith("/"):
        origin = "/".join(address.split("/", 3)[:3])
        response.headers["Content-Security-Policy"] = POLICY.replace(
            "form-action 'self'", f"form-action 'self' {origin}"
        )
    return response


def redirect(
    path: str, notice: flash.Message | None = None
) -> MinimalResponse:
    """Send the browser to `path` of this host, to be told `notice` there.

    What was posted is not posted again (303).
    """
    response = MinimalResponse(
        "",
        303,
        headers={**_HEADERS, "Location": path},
        mimetype="text/html",
    )
    if notice is not None:
        flash.flash(response, notice)
    return response


@cache
def _environment(code: str) -> Environment:
    """Return the templates in one language."""
    environment = Environment(
        autoescape=True,
        extensions=["jinja2.ext.i18n"],
        loader=PackageLoader("vestibule.web"),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    environment.policies["ext.i18n.trimmed"] = True
    texts = catalogue(code)
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        texts.gettext, texts.ngettext, newstyle=True
    )
    environment.filters["lasting"] = partial(format_duration, code=code)
    environment.filters["number"] = partial(format_decimal, locale=code)
    environment.filters["ago"] = partial(time_ago, code=code)
    environment.filters["exactly"] = partial(exact_time, code=code)
    return environment
