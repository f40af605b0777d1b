#!/usr/bin/env python3
"""Pages of listed origins use the API: preflight, login, write, read."""

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import PASSWORD, Service, stored_user
from tests.serving import LOGIN, LOGOUT, ME, USERS, VERIFY

LISTED = "https://app.example.test"
OTHER = "https://other.example.test"
#: Headers of a browser that sends a request from a page of `LISTED`.
FROM_LISTED = {"Origin": LISTED, "Sec-Fetch-Site": "same-site"}
PREFLIGHT = {
    "Origin": LISTED,
    "Access-Control-Request-Method": "PUT",
    "Access-Control-Request-Headers": "content-type",
}


@pytest.fixture
def service(build: Build) -> Service:
    """Return a service with pages that lists two origins."""
    return build(
        "session_db_auth",
        WEB_PAGES="on",
        CORS_ORIGINS=f"{LISTED.upper()}:443, http://127.0.0.1:3000",
    )


def names(header: str | None) -> set[str]:
    """Return the names in a header with commas, in lower case."""
    return set((header or "").lower().replace(" ", "").split(","))


@pytest.mark.parametrize(
    "path", [LOGIN, LOGOUT, USERS, ME, f"{USERS}/x", "/api/v1/nothing"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE"])
def test_preflight_of_a_listed_origin_is_answered(
    service: Service, path: str, method: str
) -> None:
    """Without credentials, with the same answer for each path."""
    headers = PREFLIGHT | {"Access-Control-Request-Method": method}
    answer = service.client().options(path, headers=headers)
    assert (answer.status_code, answer.data) == (204, b"")
    sent = answer.headers
    assert sent.getlist("Access-Control-Allow-Origin") == [LISTED]
    assert sent["Access-Control-Allow-Credentials"] == "true"
    assert method.lower() in names(sent["Access-Control-Allow-Methods"])
    assert {"content-type", "authorization"} == names(
        sent["Access-Control-Allow-Headers"]
    )
    assert "Origin" in sent.getlist("Vary")
    assert sent["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (USERS, PREFLIGHT | {"Origin": OTHER}),
        (USERS, PREFLIGHT | {"Origin": "null"}),
        (USERS, PREFLIGHT | {"Origin": "*"}),
        (USERS, PREFLIGHT | {"Origin": f"{LISTED}.evil.test"}),
        (USERS, PREFLIGHT | {"Origin": "http://app.example.test"}),
        (USERS, {"Origin": LISTED}),
        ("/sign-in", PREFLIGHT),
        ("/account/name", PREFLIGHT),
    ],
)
def test_other_preflights_are_not_allowed(
    service: Service, path: str, headers: dict[str, str]
) -> None:
    """Of unlisted origins, and for the forms of the pages."""
    answer = service.client().options(path, headers=headers)
    assert "Access-Control-Allow-Methods" not in answer.headers
    if headers["Origin"] != LISTED:
        assert "Access-Control-Allow-Credentials" not in answer.headers


def test_listed_origin_logs_in_and_writes(service: Service) -> None:
    """Each response lets its page read it, errors too."""
    user, client = stored_user(), service.client()
    form = {"email": user.email, "password": "wrong"}
    answers = [client.post(LOGIN, data=form, headers=FROM_LISTED)]
    form["password"] = PASSWORD
    answers += [
        client.post(LOGIN, data=form, headers=FROM_LISTED),
        client.get(ME, headers=FROM_LISTED),
        # From the cache before Flask.
        client.get(ME, headers=FROM_LISTED),
        client.put(
            f"{USERS}/{user.id}",
            json={"first_name": "Bob"},
            headers=FROM_LISTED,
        ),
        client.delete(LOGOUT, headers=FROM_LISTED),
        client.get(ME, headers=FROM_LISTED),
    ]
    statuses = [answer.status_code for answer in answers]
    assert statuses == [401, 200, 200, 200, 200, 200, 401]
    for answer in answers:
        sent = answer.headers
        assert sent.getlist("Access-Control-Allow-Origin") == [LISTED]
        assert sent.getlist("Access-Control-Allow-Credentials") == ["true"]
        assert "session-ended" in names(sent["Access-Control-Expose-Headers"])
        assert "Origin" in sent.getlist("Vary")


def test_listed_origin_of_another_site_passes(service: Service) -> None:
    """The operator trusts it, wherever it is."""
    headers = {"Origin": LISTED, "Sec-Fetch-Site": "cross-site"}
    form = {"email": stored_user().email, "password": PASSWORD}
    answer = service.client().post(LOGIN, data=form, headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out"])
def test_listed_origin_cannot_send_forms_of_pages(
    service: Service, path: str
) -> None:
    """Pages are for people, and their responses are never shared."""
    form = {"email": stored_user().email, "password": PASSWORD}
    answer = service.client().post(
        path, data=form, headers=FROM_LISTED | {"Accept": "text/html"}
    )
    assert answer.status_code == 403
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("listed", ["*", "none", LISTED])
@pytest.mark.parametrize("origin", [OTHER, "null", "*"])
@pytest.mark.parametrize("site", ["same-site", "cross-site"])
def test_unlisted_origin_cannot_log_in(
    build: Build, listed: str, origin: str, site: str
) -> None:
    """`*` lists none, and is never combined with credentials."""
    service = build("session_db_auth", CORS_ORIGINS=listed)
    form = {"email": stored_user().email, "password": PASSWORD}
    headers = {"Origin": origin, "Sec-Fetch-Site": site}
    answer = service.client().post(LOGIN, data=form, headers=headers)
    assert answer.status_code == 403
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Set-Cookie" not in answer.headers


def test_preflight_below_a_base_path(build: Build) -> None:
    """The path of the API counts, not the whole path."""
    service = build("session_db_auth", CORS_ORIGINS=LISTED, BASE_PATH="/auth")
    answer = service.client().options(f"/auth{LOGIN}", headers=PREFLIGHT)
    assert answer.status_code == 204


def test_preflight_of_verify_is_no_success(build: Build) -> None:
    """A gate takes any 2xx of verify for a user who is signed in."""
    service = build("session_db_auth", CORS_ORIGINS=LISTED)
    for path in (VERIFY, f"{VERIFY}/"):
        answer = service.client().options(path, headers=PREFLIGHT)
        assert answer.status_code == 405
