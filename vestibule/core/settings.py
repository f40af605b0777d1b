#!/usr/bin/env python3
"""The settings of the service: names, defaults and meanings.

`setting_types` reads them from the environment, at each call of `read`.
"""

from vestibule.core import (
    access_settings,
    host_types,
    mail_settings,
    page_settings,
    setting_types,
)
from vestibule.core.setting_types import SECURITY_PROFILE as SECURITY_PROFILE
from vestibule.core.setting_types import Setting as Setting

API_HOST = Setting(
    "API_HOST",
    "0.0.0.0",
    setting_types.non_empty,
    "Address the server listens on.",
)
API_PORT = Setting(
    "API_PORT",
    "5000",
    setting_types.port,
    "TCP port the server listens on.",
)
AUTH_TYPE = Setting(
    "AUTH_TYPE",
    None,
    setting_types.optional_text,
    "Mechanism: `auth`, `basic_auth`, `session_auth`, `session_exp_auth` or"
    " `session_db_auth`. Unset: no authentication, every route is open.",
    standard="session_db_auth",
    hardened="session_db_auth",
)
SESSION_NAME = Setting(
    "SESSION_NAME",
    None,
    setting_types.cookie_name,
    "Name of the session cookie, read at each request. Unset: logins are"
    " impossible; a valid one answers 500.",
    standard="_my_session_id",
    hardened="__Host-session",
)
SESSION_DURATION = Setting(
    "SESSION_DURATION",
    None,
    setting_types.lenient_seconds,
    "Lifetime of a session in seconds, under `session_exp_auth` and"
    " `session_db_auth`. Unset, 0, negative or not an integer: sessions"
    " never expire, and the start warns about it.",
)
SESSION_IDLE_TIMEOUT = Setting(
    "SESSION_IDLE_TIMEOUT",
    "0",
    setting_types.integer_between(0, 31_536_000),
    "Seconds without a request after which a session ends; 0: no limit.",
    standard="7200",
    hardened="1800",
)
SESSION_MAX_AGE = Setting(
    "SESSION_MAX_AGE",
    "0",
    setting_types.integer_between(0, 315_360_000),
    "Seconds after which a session ends under every mechanism, even if it"
    " is in use; 0: no limit but `SESSION_DURATION`.",
    standard="43200",
    hardened="43200",
)
SESSION_TOUCH_INTERVAL = Setting(
    "SESSION_TOUCH_INTERVAL",
    "60",
    setting_types.integer_between(0, 86_400),
    "Seconds between two writes of a session's last use, at most a tenth of"
    " the idle timeout. 0: that tenth.",
)
MAX_SESSIONS_PER_USER = Setting(
    "MAX_SESSIONS_PER_USER",
    "0",
    setting_types.integer_between(0, 10_000),
    "Sessions of one user; one more ends the oldest. 0: any number.",
)
MEMORY_SESSIONS_MAX = Setting(
    "MEMORY_SESSIONS_MAX",
    "100000",
    setting_types.integer_between(1, 10_000_000),
    "Sessions that a mechanism keeps in memory. One more ends the oldest of"
    " the user who has the most.",
)
SESSION_CACHE_MAX = Setting(
    "SESSION_CACHE_MAX",
    "20000",
    setting_types.integer_between(2, 10_000_000),
    "Sessions that each worker keeps in its cache under `session_db_auth`"
    " with SQLite, some kilobytes each; the most recently used half always"
    " stays.",
)
SESSION_PURGE_INTERVAL = Setting(
    "SESSION_PURGE_INTERVAL",
    "60",
    setting_types.integer_between(1, 86_400),
    "Seconds between two purges of expired sessions.",
)
SESSION_TOKEN = Setting(
    "SESSION_TOKEN",
    "uuid4",
    setting_types.one_of("uuid4", "secret256"),
    "Format of a session id: a random UUID (122 bits), or 256 random bits.",
    standard="secret256",
    hardened="secret256",
)
SESSION_NAME_HOST_PREFIX = Setting(
    "SESSION_NAME_HOST_PREFIX",
    "off",
    setting_types.on_or_off,
    "Whether `SESSION_NAME` must begin with `__Host-`, so that browsers"
    " accept the cookie only over TLS and from this host; `on` or `off`.",
    hardened="on",
)
COOKIE_SECURE = Setting(
    "COOKIE_SECURE",
    "auto",
    setting_types.one_of("auto", "always"),
    "When the cookie has the attribute `Secure`: `auto`, if the login came"
    " over TLS, or `always`.",
    hardened="always",
)
COOKIE_DOMAIN = Setting(
    "COOKIE_DOMAIN",
    None,
    host_types.cookie_domain,
    "Domain all of whose hosts get the session cookie, such as"
    " `example.com`; not with a `__Host-` name. Unset: only the host that"
    " the user signed in on.",
)
CORS_ORIGINS = Setting(
    "CORS_ORIGINS",
    "*",
    host_types.origins,
    "Origins whose pages may use the API: a list separated by commas, or"
    " `none`. A listed origin may log in, write and use cookies. `*`: any"
    " page may read responses, without cookies.",
    standard="none",
    hardened="none",
)
LOGIN_GENERIC_ERRORS = Setting(
    "LOGIN_GENERIC_ERRORS",
    "off",
    setting_types.on_or_off,
    "Whether an unknown email gets the same response as a wrong password;"
    " `on` or `off`.",
    standard="on",
    hardened="on",
)
REAUTH_WINDOW = Setting(
    "REAUTH_WINDOW",
    "300",
    setting_types.integer_between(1, 86_400),
    "Seconds after authentication in which sensitive operations do not ask"
    " for the password again.",
)
REAUTH_TO_DELETE = Setting(
    "REAUTH_TO_DELETE",
    "off",
    setting_types.on_or_off,
    "Whether deleting an account needs recent authentication; `on` or `off`.",
    hardened="on",
)
AUTHZ_POLICY = Setting(
    "AUTHZ_POLICY",
    "open",
    setting_types.one_of("open", "self"),
    "What users may do to each other's accounts: `open` lets every"
    " authenticated user list, add, show, rename and delete users; under"
    " `self` only admins may, and members have access to their own account"
    " only.",
    standard="self",
    hardened="self",
)
EMAIL_CHANGE = Setting(
    "EMAIL_CHANGE",
    "self",
    setting_types.one_of("self", "admin"),
    "Who may change the email of an account: `self`, its user; or `admin`,"
    " only admins, who may change their own. The operator may change any by"
    " `vestibule users email`.",
)
THROTTLE = Setting(
    "THROTTLE",
    "on",
    setting_types.on_or_off,
    "Whether failed logins delay the next attempt; `on` or `off`.",
)
TRUSTED_PROXIES = Setting(
    "TRUSTED_PROXIES",
    "",
    setting_types.trusted_peers,
    "Addresses and networks (CIDR), separated by commas, of the proxies"
    " whose `X-Forwarded-*` headers are trusted; `unix` is a Unix socket."
    " Empty: none.",
)
TRUSTED_HOPS = Setting(
    "TRUSTED_HOPS",
    "0",
    setting_types.integer_between(0, 100),
    "Number of proxies that append to `X-Forwarded-For`; the client's"
    " address is the entry that the first of them added. 0: the addresses"
    " in `TRUSTED_PROXIES` decide.",
)
BASE_PATH = Setting(
    "BASE_PATH",
    "",
    setting_types.base_path,
    "Path below which browsers reach the service, such as `/auth`. Empty:"
    " the root of the host, or the `X-Forwarded-Prefix` of a trusted proxy.",
)
LOGIN_URL = Setting(
    "LOGIN_URL",
    "/sign-in",
    host_types.page_url,
    "Where browsers are redirected to sign in: a path of the current host,"
    " or a whole URL. `/sign-in` is the service's own page, below"
    " `BASE_PATH`. `none`: no redirect, they get 401.",
)
ALLOWED_RETURN_HOSTS = Setting(
    "ALLOWED_RETURN_HOSTS",
    "",
    host_types.hosts,
    "Hosts, separated by commas, that browsers may be redirected to after"
    " signing in (`app.example`, `app.example:8443`). Other host names than"
    " that of the sign-in page need `COOKIE_DOMAIN`. The host of the sign-in"
    " page is always allowed.",
)
DATABASE_URL = Setting(
    "DATABASE_URL",
    "sqlite:///vestibule.db",
    setting_types.non_empty,
    "Where users and sessions are stored: `sqlite:///FILE` or"
    " `postgresql://USER:PASSWORD@HOST/NAME`.",
)
DATABASE_TIMEOUT = Setting(
    "DATABASE_TIMEOUT",
    "5000",
    setting_types.integer_between(1, 60_000),
    "Milliseconds to wait for a locked database, or for PostgreSQL's answer"
    " to a query, before responding with 503.",
)
DATABASE_POOLER = Setting(
    "DATABASE_POOLER",
    "none",
    setting_types.one_of("none", "transaction"),
    "What is between the service and PostgreSQL: `none`; or `transaction`"
    " for a pooler such as PgBouncer, in `pool_mode` `transaction` or"
    " `session`.",
)
WORKERS = Setting(
    "WORKERS",
    "1",
    setting_types.integer_between(1, 256),
    "Worker processes. Mechanisms that keep sessions in memory allow one.",
)
BLOCKING_THREADS = Setting(
    "BLOCKING_THREADS",
    "16",
    setting_types.integer_between(4, 1024),
    "Threads per worker. At most half of them hash passwords or wait for a"
    " hash, and at most half wait for the body of a request.",
)
BODY_TIMEOUT = Setting(
    "BODY_TIMEOUT",
    "10",
    setting_types.integer_between(1, 3600),
    "Seconds in which the body of a request must arrive; later it gets 408.",
)
KEEPALIVE_TIMEOUT = Setting(
    "KEEPALIVE_TIMEOUT",
    "130",
    setting_types.integer_between(1, 3600),
    "Seconds for which an idle connection stays open, and in which the"
    " headers of a request must arrive. It should be longer than the"
    " proxy's: nginx keeps connections for 60 seconds, Traefik for 90,"
    " Caddy for 120.",
)
DRAIN_DELAY = Setting(
    "DRAIN_DELAY",
    "5",
    setting_types.integer_between(0, 3600),
    "Seconds after SIGTERM in which requests are still served while"
    " `/readyz` answers 503, so that a load balancer sends them elsewhere.",
)
PASSWORD_PROFILE = Setting(
    "PASSWORD_PROFILE",
    "owasp",
    setting_types.one_of("owasp", "rfc9106"),
    "Cost of a password hash: `owasp` (argon2id, 19 MiB, 2 passes) or"
    " `rfc9106` (argon2id, 64 MiB, 3 passes, 4 lanes).",
)
PASSWORD_MIN_LENGTH = Setting(
    "PASSWORD_MIN_LENGTH",
    "8",
    setting_types.integer_between(1, 64),
    "Minimum length of a password in characters, over HTTP. Scripts that"
    " use the models are not limited.",
    hardened="15",
)
PASSWORD_BLOCKLIST = Setting(
    "PASSWORD_BLOCKLIST",
    "changes",
    setting_types.one_of("changes", "always"),
    "When common passwords and context words are rejected: `always`, or"
    " `changes`, not for users whom the API or the command line adds.",
    standard="always",
    hardened="always",
)
PASSWORD_CONTEXT_WORDS = Setting(
    "PASSWORD_CONTEXT_WORDS",
    "",
    setting_types.words,
    "Words of your organization, separated by commas, refused as passwords.",
)
PASSWORD_BREACH_URL = Setting(
    "PASSWORD_BREACH_URL",
    None,
    setting_types.http_url,
    "Address of a range service that lists stolen passwords by the first"
    " five digits of their SHA-1. Unset: no check.",
)
EVENTS_KEPT = Setting(
    "EVENTS_KEPT",
    "90",
    setting_types.integer_between(0, 36_500),
    "Days for which the database keeps the events of the security log:"
    " logins, failures, changes. 0: they are not stored.",
)
METRICS = Setting(
    "METRICS",
    "on",
    setting_types.on_or_off,
    "Whether `/metrics` shows how often and how fast the service answered,"
    " and how many logins failed, without authentication; `on` or `off`.",
    hardened="off",
)
METRICS_NETWORKS = Setting(
    "METRICS_NETWORKS",
    "any",
    setting_types.networks_or_any,
    "Addresses and networks (CIDR), separated by commas, from which"
    " `/metrics` may be read; this machine always may. `loopback`: this"
    " machine alone, `any`: no limit.",
    standard="loopback",
    hardened="loopback",
)
LOG_LEVEL = Setting(
    "LOG_LEVEL",
    "info",
    setting_types.one_of("debug", "info", "warning", "error"),
    "Lowest severity that is logged to standard error.",
)
ENV_FILE = Setting(
    "ENV_FILE",
    ".env",
    setting_types.file_name,
    "File of settings that the commands and the server read at the start,"
    " in the working directory; the environment takes precedence. `none`:"
    " no file.",
)

#: Every setting, in the order in which the documentation lists them.
ALL: tuple[Setting[object], ...] = tuple(
    each
    for module in (
        globals(),
        vars(access_settings),
        vars(page_settings),
        vars(mail_settings),
    )
    for each in list(module.values())
    if isinstance(each, Setting)
)
