#!/usr/bin/env python3
"""The settings that applications' hosts with their own sessions need."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from vestibule.checks.results import CheckResult, Level
from vestibule.core import page_settings, settings
from vestibule.core.errors import ConfigurationError
from vestibule.core.redirects import SIGN_IN_PATH
from vestibule.mechanisms.auth import Auth
from vestibule.mechanisms.session_db_auth import SessionDBAuth
from vestibule.web.routes import has_pages


def check_application_hosts(mechanism: type[Auth] | None) -> None:
    """Raise `ConfigurationError` if `APP_HOSTS` cannot work.

    Sign-in would begin again and again, or end in an error page.
    """
    listed = page_settings.APP_HOSTS.read()
    if not listed:
        return
    if mechanism is None or not issubclass(mechanism, SessionDBAuth):
        raise ConfigurationError(
            "AUTH_TYPE", "must be session_db_auth with APP_HOSTS"
        )
    if not has_pages(mechanism):
        raise ConfigurationError("WEB_PAGES", "must be on with APP_HOSTS")
    url = settings.LOGIN_URL.read() or ""
    page = urlsplit(url)
    if not page.netloc or not url.endswith(SIGN_IN_PATH):
        raise ConfigurationError(
            "LOGIN_URL",
            "must be the whole URL of the service's own sign-in page with"
            " APP_HOSTS, such as https://auth.example.com/sign-in",
        )
    default = ":443" if page.scheme == "https" else ":80"
    if page.netloc.removesuffix(default) in listed:
        raise ConfigurationError(
            "APP_HOSTS",
            f"must not list {page.netloc}, the host of the sign-in page",
        )
    if settings.COOKIE_DOMAIN.read() is not None:
        raise ConfigurationError(
            "COOKIE_DOMAIN",
            "must be unset with APP_HOSTS: each of these hosts gets a cookie"
            " of its own",
        )
    name = settings.SESSION_NAME.read()
    if page.scheme == "https" and not (name or "").startswith("__Host-"):
        raise ConfigurationError(
            "SESSION_NAME",
            "must begin with __Host- with APP_HOSTS and TLS: then no other"
            " host of the domain can set the cookie",
        )
    if not settings.TRUSTED_PROXIES.read():
        raise ConfigurationError(
            "TRUSTED_PROXIES",
            "must list the proxies of the hosts in APP_HOSTS, which name the"
            " host and the page that a browser asked for",
        )


def check_return_hosts(_: type[Auth] | None) -> Iterator[CheckResult]:
    """Check that the hosts of the applications get the session cookie.

    Browsers send a cookie to the host that set it alone, whatever its port,
    unless it has a domain. Elsewhere sign-in would begin again and again.
    """
    domain = settings.COOKIE_DOMAIN.read()
    sign_in_host = urlsplit(settings.LOGIN_URL.read() or "").hostname
    hosts = [
        urlsplit(f"//{host}").hostname or ""
        for host in settings.ALLOWED_RETURN_HOSTS.read()
    ]
    if domain is None:
        lost = [h for h in hosts if sign_in_host not in (None, h)]
        hint = "COOKIE_DOMAIN=<the domain of all hosts>"
    else:
        lost = [
            host
            for host in (*hosts, sign_in_host or domain)
            if not f".{host}".endswith(f".{domain}")
        ]
        hint = f"use hosts of {domain} alone"
    if lost:
        yield CheckResult(
            "cookie.hosts",
            Level.WRONG,
            f"after signing in, browsers send no session cookie to"
            f" {', '.join(lost)}",
            hint,
        )
