#!/usr/bin/env python3
"""The checks of what signing in needs: hosts, passkeys, second factors.

Settings that contradict each other end the start. Without these checks
sign-in would begin again and again, or no user could meet a requirement.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

from vestibule.accounts.passkeys import site
from vestibule.checks.settings import CheckResult, Level
from vestibule.core import page_settings, settings
from vestibule.core.access_settings import REQUIRE_MFA, has_secrets_key
from vestibule.core.errors import ConfigurationError
from vestibule.core.gate_rules_file import configured_rules
from vestibule.core.redirects import SIGN_IN_PATH
from vestibule.core.setting_types import is_given
from vestibule.db import passkeys
from vestibule.mechanisms.auth import Auth
from vestibule.mechanisms.session_auth import SessionAuth
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


def check_passkey_settings() -> None:
    """Raise `ConfigurationError` if passkeys are set up in part."""
    rp_id = page_settings.PASSKEY_RP_ID.read()
    origins = page_settings.PASSKEY_ORIGINS.read()
    address = page_settings.PUBLIC_URL.read()
    if origins and not rp_id and not address:
        raise ConfigurationError(
            "PASSKEY_RP_ID", "must be set with PASSKEY_ORIGINS"
        )
    if rp_id and site() is None:
        raise ConfigurationError(
            "PASSKEY_RP_ID",
            "needs PASSKEY_ORIGINS, or a PUBLIC_URL with https and a domain",
        )


def orphaned_passkeys(_: type[Auth] | None) -> Iterator[CheckResult]:
    """Count the passkeys that the present RP ID cannot use."""
    found = site()
    rp_id = "" if found is None else found.rp_id
    number = passkeys.count_other(rp_id)
    if not number:
        return
    now = rp_id or "unset"
    yield CheckResult(
        "passkeys.rp_id",
        Level.WRONG,
        f"passkeys that cannot sign in, because the RP ID is {now}: {number}",
        "set PASSKEY_RP_ID to the previous one, or have their users add new"
        " passkeys",
    )


def check_access_settings(mechanism: type[Auth] | None) -> None:
    """Raise `ConfigurationError` for a requirement that no user can meet.

    The rules of the gate need a proxy that names what its client asks for.
    """
    if configured_rules() is not None and not settings.TRUSTED_PROXIES.read():
        raise ConfigurationError(
            "GATE_RULES",
            "needs TRUSTED_PROXIES: only a trusted proxy can name the host"
            " and the path that the rules are about",
        )
    if not is_given(REQUIRE_MFA) or REQUIRE_MFA.read() == "off":
        return
    if mechanism is None or not issubclass(mechanism, SessionAuth):
        raise ConfigurationError(
            "REQUIRE_MFA",
            "needs an AUTH_TYPE with sessions: a second factor is given once"
            " for each session",
        )
    if not has_secrets_key():
        raise ConfigurationError(
            "REQUIRE_MFA",
            "needs SECRETS_KEY or SECRETS_KEY_FILE: without a key, users"
            " cannot set up a second factor",
        )


def check_required_factors(
    mechanism: type[Auth] | None,
) -> Iterator[CheckResult]:
    """Check that the second factor that the profile requires can be had."""
    if mechanism is None or not issubclass(mechanism, SessionAuth):
        return
    if REQUIRE_MFA.read() != "off" and not has_secrets_key():
        yield CheckResult(
            "access.factors",
            Level.WEAK,
            "no admin needs a second factor, although this profile requires"
            " one: there is no key for secrets",
            "SECRETS_KEY=<from `vestibule secrets new`>, or REQUIRE_MFA=off",
        )
