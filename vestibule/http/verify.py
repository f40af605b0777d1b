#!/usr/bin/env python3
"""Forward authentication: a proxy asks before it passes a request on.

It uses the same decision as the filter of the API. It answers 200 only if
the request identifies a user; every failure gives another status (fail
closed). It is a WSGI function in front of Flask, because a proxy calls it
for every request to the applications behind it.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from vestibule.accounts.gate import Answer, Verdict, judge
from vestibule.audit.log import EventType, log
from vestibule.core import request_headers, settings
from vestibule.core.application_hosts import application_host, session_url
from vestibule.core.assurance import (
    Requirement,
    asked_query,
    step_up_challenge,
)
from vestibule.core.errors import InvalidValue, VestibuleError
from vestibule.core.gate_rules import DEFAULT_RULE, Rule
from vestibule.core.redirects import (
    STEP_UP_PATH,
    beside_sign_in,
    is_own_page,
    is_page_load,
    sign_in_url,
)
from vestibule.db.models.user import parse_role
from vestibule.http import responses
from vestibule.http.access import Limit, Outcome, authenticate, start_request
from vestibule.http.flask_app import MinimalResponse
from vestibule.http.gate import open_gate
from vestibule.http.middleware import (
    ROUTE_KEY,
    VERIFY_PATH,
    Headers,
    ResponseHeaders,
    add_headers,
)
from vestibule.http.recent_auth import is_recently_authenticated
from vestibule.http.request import VestibuleRequest
from vestibule.http.responses import (
    WSGIApplication,
    add_challenge,
    add_session_ended,
    json_response,
)
from vestibule.http.user_response import (
    ResponseCache,
    UserResponse,
    anonymous_response,
    facts_of_request,
)
from vestibule.identity.header import RECENT_HEADER, IdentitySigner
from vestibule.mechanisms.auth import Auth
from vestibule.mechanisms.session_mechanism import sessions_of

PATH = VERIFY_PATH
_PATHS = frozenset({PATH, f"{PATH}/"})
#: Body and headers of a response that identifies a user.
IdentityResponse = tuple[bytes, Headers]
#: A proxy has a few fixed query strings, one for each rule.
MAX_CACHED_QUERIES = 64
#: Values that one query string may have.
MAX_QUERY_VALUES = 20


class VerifyQuery(NamedTuple):
    """The rule that a proxy's query string adds to "a user is needed"."""

    #: False for `redirect=off`.
    redirects: bool = True
    #: The user must have one role of each set.
    role_sets: tuple[frozenset[str], ...] = ()
    #: True for `recent=on`.
    asks_for_recent: bool = False

    @property
    def needs_user(self) -> bool:
        """Return True if an anonymous client never meets the rule."""
        return bool(self.role_sets) or self.asks_for_recent

    def allows(self, role: str) -> bool:
        """Return True if a user with `role` may pass."""
        return all(role in roles for roles in self.role_sets)

    def can_use(self, cached: UserResponse) -> bool:
        """Return True if the cached response is the whole answer."""
        return not self.asks_for_recent and self.allows(cached.role)


@lru_cache(MAX_CACHED_QUERIES)
def parse_query(query: str) -> VerifyQuery:
    """Return the rule of verify's query string.

    Raise `InvalidValue` for anything that is not known: a misspelled rule
    must not open a path to every user.
    """
    if not query:
        return VerifyQuery()
    given: dict[str, list[str]] = {
        name: [] for name in ("redirect", "recent", "role", "groups")
    }
    try:
        for name, value in parse_qsl(
            query, True, True, max_num_fields=MAX_QUERY_VALUES
        ):
            given[name].append(value)
    except (KeyError, ValueError):
        raise InvalidValue(
            "query",
            "must be redirect=off, recent=on, role=... or groups=...",
            code="invalid",
        ) from None
    for name in ("redirect", "recent", "role"):
        if len(given[name]) > 1:
            raise InvalidValue(name, "must be given once", code="invalid")
    if given["redirect"] not in ([], ["off"]):
        raise InvalidValue("redirect", "must be off", code="invalid")
    if given["recent"] not in ([], ["on"]):
        raise InvalidValue("recent", "must be on", code="invalid")
    required = (given["role"], given["groups"])
    return VerifyQuery(
        not given["redirect"],
        tuple(
            frozenset(parse_role(value).value for value in values)
            for values in required
            if values
        ),
        bool(given["recent"]),
    )


class ForwardAuth:
    """Answers verify, and passes all other requests to `application`."""

    def __init__(
        self,
        application: WSGIApplication,
        mechanism: Callable[[], Auth | None],
        signer: IdentitySigner | None,
        headers: ResponseHeaders,
        cache: ResponseCache,
    ) -> None:
        """Stand before `application`, which sets its headers itself.

        `mechanism` returns the current mechanism.
        """
        self._application = application
        self._headers = headers
        self._mechanism = mechanism
        self._login_url = settings.LOGIN_URL.read()
        self._return_hosts = settings.ALLOWED_RETURN_HOSTS.read()
        self._signer = signer
        self._cache = cache
        self._gate = open_gate()

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer the request of `environ`."""
        if environ["PATH_INFO"] not in _PATHS:
            return self._application(environ, start_response)
        environ[ROUTE_KEY] = PATH
        identified: IdentityResponse | None = None
        try:
            cached = self._cache.find(environ)
            if (
                cached is not None
                and (
                    not environ.get("QUERY_STRING")
                    or _query(environ).can_use(cached)
                )
                and (
                    self._gate is None
                    or self._gate.passes(environ, cached, self._now)
                )
            ):
                identified = self._identify(cached, environ)
        except Exception:
            # Without the cache the same failure comes again and is reported.
            pass
        if identified is None:
            response = self._authenticate(VestibuleRequest(environ))
            if isinstance(response, MinimalResponse):
                return add_headers(response, self._headers)(
                    environ, start_response
                )
            identified = response
        body, headers = identified
        start_response("200 OK", headers)
        return () if environ["REQUEST_METHOD"] == "HEAD" else (body,)

    def _authenticate(
        self, request: VestibuleRequest
    ) -> MinimalResponse | IdentityResponse:
        """Return the response to a request; never raise."""
        try:
            return self._decide(request)
        except VestibuleError as error:
            return responses.error_response(error, request)
        except Exception:
            return responses.internal_error_response(request)

    def _decide(
        self, request: VestibuleRequest
    ) -> MinimalResponse | IdentityResponse:
        """Return the response of the user, or the refusal."""
        auth = self._mechanism()
        start_request(auth, request)
        if request.environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            response = json_response({"error": "Method Not Allowed"}, 405)
            response.headers["Allow"] = "GET, HEAD"
            return response
        query = _query(request.environ)
        decision = authenticate(auth, request)
        found = None
        if decision.outcome is Outcome.PASSED:
            facts = facts_of_request(request)
            found = UserResponse.of(decision.principal, self._headers, facts)
            if decision.known is not None:
                self._cache.add(request.environ, decision.known, found)
        verdict = self._judge(request, found)
        if verdict is None or verdict.answer is Answer.DENY:
            return _forbid("gate_rule", found)
        if found is None:
            if verdict.answer is Answer.ANONYMOUS and not query.needs_user:
                return anonymous_response(self._headers, request.environ)
            return self._refuse(request, query, decision.limit)
        if verdict.answer is Answer.STEP_UP:
            return self._ask_for_more(request, query, verdict.rule, found)
        if not query.allows(found.role):
            return _forbid("role", found)
        body, headers = self._identify(found, request.environ)
        if query.asks_for_recent:
            recent = is_recently_authenticated(request)
            headers = [*headers, (RECENT_HEADER, str(recent).lower())]
        return body, headers

    def _now(self) -> datetime:
        """Return the current time, as the mechanism has it."""
        return sessions_of(self._mechanism()).now()

    def _judge(
        self, request: VestibuleRequest, found: UserResponse | None
    ) -> Verdict | None:
        """Return the decision of the rules; `None` for a faulty request."""
        facts = None if found is None else found.facts
        if self._gate is None:
            return judge(DEFAULT_RULE, facts, request.sessions.now())
        candidates = self._gate.candidates(request.environ)
        if candidates is None:
            return None
        role = None if found is None else found.role
        rule = self._gate.rule_for(candidates, request.environ, role)
        return judge(rule, facts, request.sessions.now())

    def _identify(
        self, user: UserResponse, environ: dict[str, Any]
    ) -> IdentityResponse:
        """Return the 200 response that identifies the user to the proxy."""
        own = self._headers.for_request(environ, is_page=False)
        if self._signer is not None:
            audience = request_headers.audience(environ)
            if audience:
                token = self._signer.token(user.identity_for(audience))
                return user.body, user.verify_headers(token, own)
        return user.body, user.verify_headers("", own)

    def _refuse(
        self,
        request: VestibuleRequest,
        query: VerifyQuery,
        limit: Limit | None,
    ) -> MinimalResponse:
        """Return the response to a request that identifies no user."""
        response = add_session_ended(
            json_response({"error": "Unauthorized"}, 401),
            request.session_ended,
        )
        asked = None
        if limit is Limit.FACTOR_REQUIRED:
            asked = asked_query(Requirement(level=2))
        if self._lead(response, request, query, asked):
            return response
        return add_challenge(response, request.mechanism)

    def _ask_for_more(
        self,
        request: VestibuleRequest,
        query: VerifyQuery,
        rule: Rule,
        found: UserResponse,
    ) -> MinimalResponse:
        """Return the response to a user who has to prove more (RFC 9470)."""
        log(
            EventType.ACCESS_DENIED,
            user=found.identity.subject,
            reason="step_up",
            path=PATH,
        )
        response = json_response(
            {"error": "insufficient user authentication"}, 401
        )
        if not self._lead(response, request, query, asked_query(rule)):
            challenge = step_up_challenge(rule)
            response.headers["WWW-Authenticate"] = challenge
        return response

    def _lead(
        self,
        response: MinimalResponse,
        request: VestibuleRequest,
        query: VerifyQuery,
        asked: dict[str, str] | None,
    ) -> bool:
        """Lead a browser that loads a page; return True if it follows.

        It leads to the sign-in page, or to the page that asks for more
        proof, if the mechanism has logins. Other clients could not follow.
        """
        login_url = self._login_url
        if asked is not None and not is_own_page(login_url):
            # Another page to sign in does not know what more to ask for.
            return False
        if (
            login_url is not None
            and request.sessions.has_login
            and is_page_load(request.environ)
        ):
            if login_url == settings.LOGIN_URL.default:
                # `X-Forwarded-Prefix` is the application's prefix, not ours.
                login_url = f"{request.mount_path}{login_url}"
            target = request_headers.forwarded_target(request.environ)
            host = application_host(request.environ)
            hosts = self._return_hosts
            if asked is not None:
                login_url = beside_sign_in(login_url, STEP_UP_PATH, asked)
                # The session of the application's host stays.
                hosts, host = (*hosts, *([host] if host else [])), None
            response.headers["Location"] = (
                sign_in_url(login_url, target, hosts)
                if host is None or target.scheme is None
                else session_url(f"{target.scheme}://{host}", target.path)
            )
            if query.redirects:
                response.status_code = 302
                return True
        return False


def _forbid(reason: str, found: UserResponse | None) -> MinimalResponse:
    """Log that a request is refused, with or without a user; return 403."""
    user = None if found is None else found.identity.subject
    log(EventType.ACCESS_DENIED, user=user, reason=reason, path=PATH)
    return json_response({"error": "Forbidden"}, 403)


def _query(environ: dict[str, Any]) -> VerifyQuery:
    """Return the rule of the request; raise `InvalidValue` for a bad one."""
    return parse_query(environ.get("QUERY_STRING", ""))
