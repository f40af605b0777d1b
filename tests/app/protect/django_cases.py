#!/usr/bin/env python3
"""Django: views, the admin, REST framework and the event loop."""

import asyncio
from typing import Any

import pytest

from tests.app.protect.django_project import (  # isort: skip
    User,
    _database,
    fake,
    local,
    stored,
)
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import ImproperlyConfigured
from django.test import AsyncClient, Client, override_settings
from rest_framework.test import APIClient

from vestibule.protect.django import configuration
from vestibule.protect.django.middleware import VestibuleMiddleware
from vestibule.protect.testing import FakeVestibule

__all__ = ["_database", "fake"]


def test_login_required_leads_to_sign_in_and_back(
    fake: FakeVestibule,
) -> None:
    """The decorator and the mixin of Django work, with the query string."""
    client = Client()
    for path in ("/decorated?a=b&c", "/mixin?a=b&c"):
        response = client.get(path, follow=True)
        (_, _), (url, status) = response.redirect_chain
        back = path.replace("?", "%3F").replace("=", "%3D")
        assert status == 302
        assert url == f"/sign-in?return_to={back.replace('&', '%26')}"
    fake.sign_in_as(client)
    for path in ("/decorated", "/mixin"):
        assert client.get(path).status_code == 200
    fake.end_sessions()
    assert client.get("/decorated").status_code == 302


PAGE = {"HTTP_SEC_FETCH_MODE": "navigate"}
STEP_UP = "/account/factors/step-up?level=2&fresh=300"


def test_view_may_demand_level_and_freshness(fake: FakeVestibule) -> None:
    """A page load is led to prove more and back, others get the 401."""
    client = Client()
    fake.sign_in_as(client)
    for path in ("/careful", "/rest-careful"):
        refused = client.get(path)
        assert refused.status_code == 401
        challenge = refused["WWW-Authenticate"]
        assert 'acr_values="urn:vestibule:level:2"' in challenge
    page = client.get("/careful?a=b", **PAGE)
    assert (page.status_code, page["Location"]) == (
        302,
        f"{STEP_UP}&return_to=/careful%3Fa%3Db",
    )
    fake.sign_in_as(client, level=2)
    assert client.get("/careful", **PAGE).content == b"level 2"
    assert client.get("/rest-careful").status_code == 200
    fake.sign_in_as(client, level=2, is_recent=False)
    assert client.get("/careful").status_code == 401


def test_demand_needs_session_at_vestibule(fake: FakeVestibule) -> None:
    """A user of the project's own has no level."""
    client = Client()
    assert client.get("/careful").status_code == 401
    page = client.get("/careful", **PAGE)
    assert page["Location"] == "/sign-in?return_to=/careful"
    client.force_login(
        local(), backend="django.contrib.auth.backends.ModelBackend"
    )
    assert client.get("/careful").status_code == 401


@override_settings(MIDDLEWARE=[])  # type: ignore[untyped-decorator]
def test_demand_without_middleware_is_refused() -> None:
    """Each user would be led to sign in without end."""
    with pytest.raises(ImproperlyConfigured, match="not installed"):
        Client().get("/careful")


def test_asynchronous_view_may_demand_level(fake: FakeVestibule) -> None:
    """It decides on the event loop."""

    async def answered(**facts: Any) -> Any:
        """Return the response to a page load."""
        client = AsyncClient()
        fake.sign_in_as(client, **facts)
        headers = {"Sec-Fetch-Mode": "navigate"}
        return await client.get("/async-careful?a=b", headers=headers)

    led = asyncio.run(answered())
    assert led["Location"] == f"{STEP_UP}&return_to=/async-careful%3Fa%3Db"
    assert asyncio.run(answered(level=2)).status_code == 200


@pytest.mark.parametrize(
    "back", ["//evil.example/", "https://evil.example/", "/\\evil", "x", ""]
)
def test_sign_in_view_is_no_open_redirect(back: str) -> None:
    """An address elsewhere is left out."""
    response = Client().get("/vestibule/sign-in", {"next": back})
    assert response["Location"] == "/sign-in"


@override_settings(  # type: ignore[untyped-decorator]
    VESTIBULE_PAGES="https://auth.example/base"
)
def test_pages_elsewhere_lead_back_by_whole_url() -> None:
    """Both hosts have TLS."""
    response = Client().get(
        "/vestibule/sign-in", {"next": "/a?b=c"}, secure=True
    )
    assert response["Location"] == (
        "https://auth.example/base/sign-in"
        "?return_to=https%3A//testserver/a%3Fb%3Dc"
    )


def test_permissions_come_from_group_of_role(fake: FakeVestibule) -> None:
    """A group that the project itself assigns stays."""
    client = Client()
    bob = fake.sign_in_as(client)
    assert client.get("/permitted").status_code == 403
    group = Group.objects.get(name="member")
    group.permissions.add(Permission.objects.get(codename="add_group"))
    assert client.get("/permitted").status_code == 200
    stored(bob).groups.add(Group.objects.create(name="editors"))
    fake.sign_in_as(client, role="admin")
    assert client.get("/permitted").status_code == 403
    names = {group.name for group in stored(bob).groups.all()}
    assert names == {"admin", "editors"}


def test_admin_site_is_for_staff(fake: FakeVestibule) -> None:
    """It has no login form of its own, and members are refused."""
    client = Client()
    response = client.get("/admin/", follow=True)
    assert response.redirect_chain[-1][0] == ("/sign-in?return_to=/admin/")
    fake.sign_in_as(client)
    assert client.get("/admin/", follow=True).status_code == 403
    fake.sign_in_as(client, role="admin")
    assert client.get("/admin/").status_code == 200
    with override_settings(VESTIBULE_SUPERUSER_ROLES=["admin"]):
        assert "Groups" in client.get("/admin/").content.decode()
        assert client.get("/admin/auth/group/").status_code == 200
    assert client.get("/admin/auth/group/").status_code == 403
    fake.sign_in_as(client)
    assert client.get("/admin/auth/group/", follow=True).status_code == 403


def test_template_has_user_and_sign_out(fake: FakeVestibule) -> None:
    """Both come from context processors."""
    client = Client()
    fake.sign_in_as(client, "bob@example.com")
    page = client.get("/template").content.decode()
    assert "bob@example.com" in page
    assert '<form method="post" action="/sign-out">' in page


def test_rest_framework_authenticates(fake: FakeVestibule) -> None:
    """Anonymous requests get 401, and changes need a CSRF token."""
    client = APIClient(enforce_csrf_checks=True)
    response = client.get("/rest")
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == 'Cookie realm="vestibule"'
    bob = fake.sign_in_as(client, "bob@example.com")
    assert client.get("/rest").json() == {"id": bob.id}
    response = client.post("/rest")
    assert response.status_code == 403
    assert "CSRF Failed" in response.json()["detail"]
    token = "a" * 32
    client.cookies["csrftoken"] = token
    assert client.post("/rest", headers={"X-CSRFToken": token}).json() == {
        "id": bob.id
    }
    fake.end_sessions()
    assert client.get("/rest").status_code == 401


def test_forged_headers_name_no_user(fake: FakeVestibule) -> None:
    """The view does not see them."""
    forged = {
        "Remote-User": "ada",
        "X-Remote-User": "ada",
        "Remote-Groups": "admin",
        "X-Vestibule-Identity": "ada",
        "Vestibule.Principal": "ada",
    }
    shown = Client().get("/whoami", headers=forged).json()
    assert (shown["user"], shown["principal"]) == (None, None)
    assert shown["headers"] == []


@pytest.mark.parametrize("path", ["/whoami", "/decorated", "/admin/", "/rest"])
def test_unavailable_vestibule_is_503(path: str, fake: FakeVestibule) -> None:
    """No view runs, also of a user who was known before."""
    client = Client()
    fake.sign_in_as(client, role="admin")
    client.get(path)
    fake.is_down = True
    assert client.get(path).status_code == 503


def test_invalid_cookie_header_is_400() -> None:
    """As every adapter answers it."""
    client = Client()
    client.cookies["a"] = "b" * 20_000
    assert client.get("/whoami").status_code == 400


def asked(client: Any, *paths: str) -> list[Any]:
    """Return the responses of asynchronous requests."""

    async def ask() -> list[Any]:
        """Send the requests one after the other."""
        return [await client.get(path) for path in paths]

    return asyncio.run(ask())


def test_asynchronous_view_has_user(fake: FakeVestibule) -> None:
    """`request.user` needs no query there, and `request.auser` works."""
    client = AsyncClient()
    (anonymous, guarded) = asked(client, "/async", "/async-guarded")
    assert anonymous.json() == {"user": None, "auser": None, "headers": []}
    assert guarded.status_code == 302
    fake.sign_in_as(client, "bob@example.com")
    (seen, guarded) = asked(client, "/async", "/async-guarded")
    assert seen.json()["user"] == seen.json()["auser"] == "bob@example.com"
    assert guarded.status_code == 200
    fake.is_down = True
    (failed,) = asked(client, "/async")
    assert failed.status_code == 503
    fake.is_down = False
    User.objects.update(is_active=False)
    (refused,) = asked(client, "/async")
    assert refused.status_code == 403


def test_cookies_in_several_headers_are_read(fake: FakeVestibule) -> None:
    """HTTP/2 may split them (RFC 9113, section 8.2.3)."""
    browser, client = AsyncClient(), AsyncClient()
    fake.sign_in_as(browser, "bob@example.com")
    # The client sends the header of its own, empty jar beside this one.
    both = {"Cookie": browser.cookies.output(header="", sep=";").strip()}

    async def ask() -> Any:
        """Send a request with two headers of cookies."""
        return await client.get("/async", headers=both)

    assert asyncio.run(ask()).json()["user"] == "bob@example.com"
    client.cookies["theme"] = "dark"
    assert asyncio.run(ask()).json()["user"] == "bob@example.com"


def test_asynchronous_view_sees_no_forged_header() -> None:
    """Neither in the headers nor in the scope."""

    async def ask() -> Any:
        """Send a request with a forged header."""
        return await AsyncClient().get("/async", headers={"Remote-User": "a"})

    assert asyncio.run(ask()).json()["headers"] == []


def test_configuration_is_checked_at_start() -> None:
    """A missing address is no other way of asking."""
    for wrong in (
        {"VESTIBULE_URL": None},
        {"VESTIBULE_IN_PROCESS": True},
        {"VESTIBULE_URL": "ftp://a"},
        {"VESTIBULE_TIMEOUT": 0},
    ):
        configuration.sync_backend.cache_clear()
        with override_settings(**wrong), pytest.raises(ImproperlyConfigured):
            VestibuleMiddleware(lambda _: None)


def test_middleware_needs_user_of_django() -> None:
    """The error names the middleware that comes before."""
    with (
        override_settings(
            MIDDLEWARE=[
                "vestibule.protect.django.middleware.VestibuleMiddleware"
            ]
        ),
        pytest.raises(ImproperlyConfigured, match="AuthenticationMiddleware"),
    ):
        Client().get("/whoami")
