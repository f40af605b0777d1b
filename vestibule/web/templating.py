#!/usr/bin/env python3
"""Renders templates into responses with the security headers of a page.

Every value is escaped, every page has the same strict content security
policy, and an undefined variable in a template raises an error.
"""

import re
from collections.abc import Callable
from functools import cache, lru_cache, partial
from typing import Any
from urllib.parse import urlencode

from babel.numbers import format_compact_decimal, format_decimal
from jinja2 import Environment, PackageLoader, StrictUndefined

from vestibule.core import page_settings
from vestibule.core.redirects import RETURN_PARAMETER
from vestibule.http.flask_app import MinimalResponse
from vestibule.http.request import current_request
from vestibule.mail.notices import is_mail_on
from vestibule.web import messages
from vestibule.web.assets import bundle
from vestibule.web.i18n import (
    LANGUAGE_NAMES,
    catalogue,
    exact_time,
    language,
    local_text,
    time_ago,
    time_until,
    zone_name,
)
from vestibule.web.kept_form import clear_kept_form, kept_form
from vestibule.web.messages import format_duration
from vestibule.web.routes import (
    ACCOUNT,
    ACCOUNT_FIELD,
    SIGN_IN,
    own_url,
    return_url,
    shows_admin_link,
    with_return_url,
)

_INDENTATION = re.compile(r"^[ \t]+", re.MULTILINE)

#: No content from other hosts, no inline code, no frames.
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src"
    " 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
#: The cookie with the theme that the user chose, and the themes.
THEME_COOKIE = "vestibule_theme"
THEMES = ("light", "dark")
_HEADERS = {
    "Content-Security-Policy": POLICY,
    # Under the default policy of the API, `no-referrer`, browsers send
    # `Origin: null` with forms, which the CSRF check refuses.
    "Referrer-Policy": "same-origin",
}


def page(template: str, status: int = 200, **values: Any) -> MinimalResponse:
    """Return the page that `template` renders with `values`."""
    code = language()
    flashed = messages.flashed_message()
    is_restored = kept_form() is not None
    request = current_request()
    text = (
        _environment(code)
        .get_template(template)
        .render(
            language=code,
            brand=page_settings.BRAND_NAME.read(),
            assets=bundle(),
            user=request.current_user,
            account_field=ACCOUNT_FIELD,
            path=request.path,
            base=request.base_path,
            sends_mail=is_mail_on(),
            registration=page_settings.REGISTRATION.read() == "open",
            flashed=flashed,
            is_restored=is_restored,
            shows_admin=shows_admin_link(),
            app_name=page_settings.APP_NAME.read(),
            app_url=page_settings.APP_URL.read(),
            theme=_theme(),
            languages=LANGUAGE_NAMES,
            **(_addresses() | {"has_passkeys": False} | values),
        )
    )
    response = MinimalResponse(
        text, status, headers=_HEADERS, mimetype="text/html"
    )
    if values.get("has_passkeys"):
        # Its script asks for a challenge.
        response.headers["Content-Security-Policy"] = (
            f"{POLICY}; connect-src 'self'"
        )
    if flashed is not None:
        messages.clear_flash(response)
    if is_restored:
        clear_kept_form(response)
    return response


def _addresses() -> dict[str, str]:
    """Return the addresses of the user's first page and of this one."""
    request = current_request()
    is_anonymous = request.current_user is None
    return {
        "home": own_url(SIGN_IN if is_anonymous else ACCOUNT),
        "own_address": own_url(request.full_path.rstrip("?")),
    }


def _entry_address() -> str:
    """Return the address of a page that keeps `return_to`, wherever it was.

    It may have been sent in a form.
    """
    request = current_request()
    rest = [
        (name, value)
        for name, value in request.args.items(multi=True)
        if name != RETURN_PARAMETER
    ]
    path = request.path.rstrip("/")
    return own_url(
        with_return_url(f"{path}?{urlencode(rest)}" if rest else path)
    )


def _theme() -> str | None:
    """Return the theme that the user chose; `None` for the browser's."""
    chosen = current_request().cookies.get(THEME_COOKIE)
    return chosen if chosen in THEMES else None


def entry_page(
    template: str, status: int = 200, **values: Any
) -> MinimalResponse:
    """Return a page before sign-in, whose form and links keep `return_to`.

    The form may redirect there, also on another host: Chromium applies
    `form-action` to the redirects after a form, too.
    """
    back = return_url()
    is_anonymous = current_request().current_user is None
    response = page(
        template,
        status,
        back=back,
        parameter=RETURN_PARAMETER,
        entry=with_return_url,
        home=own_url(with_return_url(SIGN_IN if is_anonymous else ACCOUNT)),
        own_address=_entry_address(),
        **values,
    )
    target = back or page_settings.APP_URL.read() or "/"
    if not target.startswith("/"):
        origin = "/".join(target.split("/", 3)[:3])
        policy = response.headers["Content-Security-Policy"]
        response.headers["Content-Security-Policy"] = policy.replace(
            "form-action 'self'", f"form-action 'self' {origin}"
        )
    return response


def redirect(
    path: str, message: messages.Message | None = None
) -> MinimalResponse:
    """Return a redirect to a page, which shows `message` once.

    `path` is one of the service's own, without its prefix.
    """
    response = redirect_to(own_url(path))
    if message is not None:
        messages.flash(response, message)
    return response


def redirect_to(url: str) -> MinimalResponse:
    """Return a redirect to `url`, which must be a safe one.

    The status is 303, so the browser does not repeat a POST.
    """
    return MinimalResponse(
        "",
        303,
        headers={**_HEADERS, "Location": url},
        mimetype="text/html",
    )


class _CompactLoader(PackageLoader):
    """Loads templates with one space in place of each indentation.

    The rest is a tenth of a long list. The space stays, because Jinja
    removes the end of a line after a tag, and words would run together.
    """

    def get_source(
        self, environment: Environment, template: str
    ) -> tuple[str, str, Callable[[], bool] | None]:
        """Return the text of a template, its file, and if it is current."""
        text, file, is_current = super().get_source(environment, template)
        return _INDENTATION.sub(" ", text), file, is_current


@cache
def _environment(code: str) -> Environment:
    """Return the Jinja environment of one language."""
    environment = Environment(
        autoescape=True,
        extensions=["jinja2.ext.i18n"],
        loader=_CompactLoader("vestibule.web"),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    environment.policies["ext.i18n.trimmed"] = True
    texts = catalogue(code)
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        texts.gettext, texts.ngettext, newstyle=True
    )
    environment.filters["duration"] = partial(format_duration, code=code)
    # Babel takes 25 microseconds for a number, and pages have hundreds.
    environment.filters["number"] = lru_cache(maxsize=1024)(
        partial(format_decimal, locale=code)
    )
    environment.filters["short_number"] = lru_cache(maxsize=1024)(
        partial(format_compact_decimal, locale=code, fraction_digits=1)
    )
    environment.filters["time_ago"] = partial(time_ago, code=code)
    environment.filters["time_until"] = partial(time_until, code=code)
    environment.filters["exact_time"] = partial(exact_time, code=code)
    environment.filters["local_text"] = local_text
    environment.filters["dict"] = dict
    environment.globals["zone_name"] = zone_name
    return environment
