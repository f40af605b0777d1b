#!/usr/bin/env python3
"""Tests of the Django adapter, with a configuration of their own.

Django has one configuration in each process, so `test_django.py` runs this
file in other processes: with Django's user model, and with one of the
project's own.
"""

import asyncio
import os
import threading
from collections.abc import Iterator
from typing import Any

import django
import pytest
from django.conf import settings

IS_CUSTOM = os.environ["CASES"] == "custom"
URL = "http://127.0.0.1:9"

settings.configure(
    ROOT_URLCONF="tests.app.protect.django_urls",
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="of tests only",
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.messages",
        "django.contrib.sessions",
        "rest_framework",
        *(["tests.app.protect.django_people"] if IS_CUSTOM else []),
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "vestibule.protect.django.middleware.VestibuleMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    AUTHENTICATION_BACKENDS=[
        "tests.app.protect.django_people.backend.OwnBackend"
        if IS_CUSTOM
        else "vestibule.protect.django.backends.VestibuleBackend",
        "django.contrib.auth.backends.ModelBackend",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                    "vestibule.protect.django.views.template_variables",
                ]
            },
        }
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ["CASES_DATABASE"],
            "OPTIONS": {"timeout": 20},
        }
    },
    # Real migrations and hashes would take most of the time.
    MIGRATION_MODULES=dict.fromkeys(
        ("admin", "auth", "contenttypes", "sessions")
    ),
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    AUTH_USER_MODEL="django_people.Person" if IS_CUSTOM else "auth.User",
    LOGIN_URL="vestibule:sign-in",
    VESTIBULE_URL=URL,
    **({"VESTIBULE_ID_FIELD": "vestibule_id"} if IS_CUSTOM else {}),
)
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.contrib.auth.models import Group, Permission  # noqa: E402
from django.core.exceptions import ImproperlyConfigured  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connections  # noqa: E402
from django.test import AsyncClient, Client, override_settings  # noqa: E402
from rest_framework.test import APIClient  # noqa: E402

from vestibule.protect.django import configuration  # noqa: E402
from vestibule.protect.django.middleware import (  # noqa: E402
    VestibuleMiddleware,
)
from vestibule.protect.testing import (  # noqa: E402
    FakeVestibule,
    fake_vestibule,
)

User: Any = get_user_model()
ID_FIELD = "vestibule_id" if IS_CUSTOM else "username"


@pytest.fixture(scope="session", autouse=True)
def _database() -> None:
    """Create the tables."""
    call_command("migrate", verbosity=0, run_syncdb=True)


@pytest.fixture(autouse=True)
def fake() -> Iterator[FakeVestibule]:
    """Use a fake Vestibule, and an empty project."""
    configuration.sync_backend.cache_clear()
    configuration.async_backend.cache_clear()
    with fake_vestibule() as there:
        yield there
    User.objects.all().delete()
    Group.objects.all().delete()


def stored(user: Any) -> Any:
    """Return the project's user for a principal."""
    return User.objects.get(**{ID_FIELD: user.id})


def local(email: str = "local@example.com", **fields: Any) -> Any:
    """Create a user of the project's own, with a password."""
    if not IS_CUSTOM:
        fields.setdefault("username", "local")
    user = User(email=email, **fields)
    user.set_password("correct horse battery")
    user.save()
    return user


def test_user_is_mirrored_by_id(fake: FakeVestibule) -> None:
    """The project's user follows the names, the email and the role."""
    client = Client()
    assert client.get("/whoami").json()["user"] is None
    bob = fake.sign_in_as(client, "bob@example.com", first_name="Bob")
    shown = client.get("/whoami").json()
    assert shown["user"] == "bob@example.com"
    assert shown["principal"] == bob.id
    first = stored(bob)
    assert (first.is_staff, first.has_usable_password()) == (False, False)
    assert [group.name for group in first.groups.all()] == ["member"]
    fake.sign_in_as(client, "robert@example.com", role="admin", user_id=bob.id)
    client.get("/whoami")
    second = stored(bob)
    assert (second.pk, second.email) == (first.pk, "robert@example.com")
    assert (second.is_staff, second.is_superuser) == (True, False)
    assert [group.name for group in second.groups.all()] == ["admin"]
    assert User.objects.count() == 1


def test_unchanged_user_is_only_read(fake: FakeVestibule) -> None:
    """Further requests write nothing."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client = Client()
    fake.sign_in_as(client)
    client.get("/whoami")
    with CaptureQueriesContext(connection) as queries:
        client.get("/whoami")
    statements = [query["sql"].split()[0] for query in queries]
    assert set(statements) == {"SELECT"}
    assert len(statements) == 2


def test_existing_user_of_same_email_is_not_taken_over(
    fake: FakeVestibule,
) -> None:
    """An email is not confirmed, so it identifies no account."""
    owner = local("bob@example.com", is_superuser=True, is_staff=True)
    client = Client()
    fake.sign_in_as(client, "bob@example.com")
    response = client.get("/whoami")
    if IS_CUSTOM:
        # The email is unique there.
        assert response.status_code == 403
        assert User.objects.count() == 1
    else:
        assert response.json()["id"] != owner.pk
    owner.refresh_from_db()
    assert owner.is_superuser
    assert owner.check_password("correct horse battery")


def test_local_account_with_id_of_user_is_refused(
    fake: FakeVestibule,
) -> None:
    """Its password would open the account of the user."""
    client = Client()
    bob = fake.sign_in_as(client, "bob@example.com")
    local("other@example.com", **{ID_FIELD: bob.id})
    assert client.get("/whoami").status_code == 403


def test_local_user_keeps_own_session(fake: FakeVestibule) -> None:
    """A user of Vestibule in the same browser takes precedence."""
    owner = local()
    client = Client()
    client.force_login(
        owner, backend="django.contrib.auth.backends.ModelBackend"
    )
    assert client.get("/whoami").json()["id"] == owner.pk
    bob = fake.sign_in_as(client, "bob@example.com")
    assert client.get("/whoami").json()["principal"] == bob.id
    fake.end_sessions()
    assert client.get("/whoami").json()["id"] == owner.pk


def test_inactive_user_is_refused(fake: FakeVestibule) -> None:
    """The project can lock a user out."""
    client = Client()
    bob = fake.sign_in_as(client)
    client.get("/whoami")
    User.objects.filter(**{ID_FIELD: bob.id}).update(is_active=False)
    assert client.get("/whoami").status_code == 403


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


@pytest.mark.parametrize(
    "back", ["//evil.example/", "https://evil.example/", "/\\evil", "x", ""]
)
def test_sign_in_view_is_no_open_redirect(back: str) -> None:
    """An address elsewhere is left out."""
    response = Client().get("/vestibule/sign-in", {"next": back})
    assert response["Location"] == "/sign-in"


@override_settings(VESTIBULE_PAGES="https://auth.example/base")
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


def test_asynchronous_view_sees_no_forged_header() -> None:
    """Neither in the headers nor in the scope."""

    async def ask() -> Any:
        """Send a request with a forged header."""
        return await AsyncClient().get("/async", headers={"Remote-User": "a"})

    assert asyncio.run(ask()).json()["headers"] == []


def test_two_first_requests_at_once_create_one_user(
    fake: FakeVestibule,
) -> None:
    """The later one finds the user of the earlier one."""
    client, statuses = Client(), []
    bob = fake.sign_in_as(client)
    barrier = threading.Barrier(4)

    def ask() -> None:
        """Send one of the requests."""
        own = Client()
        own.cookies = client.cookies
        barrier.wait(30)
        statuses.append(own.get("/whoami").status_code)
        connections.close_all()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert statuses == [200] * 4
    assert stored(bob)
    assert User.objects.count() == 1


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


@pytest.mark.parametrize("name", ["email", "first_name", "nothing"])
def test_id_field_must_be_unique(name: str, fake: FakeVestibule) -> None:
    """Two users of one account, or a user by email, would be one."""
    client = Client()
    fake.sign_in_as(client)
    with (
        override_settings(VESTIBULE_ID_FIELD=name),
        pytest.raises(ImproperlyConfigured, match="VESTIBULE_ID_FIELD"),
    ):
        client.get("/whoami")


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


@pytest.mark.skipif(not IS_CUSTOM, reason="the project has its own backend")
def test_own_backend_sets_own_fields(fake: FakeVestibule) -> None:
    """The hooks of a subclass are called."""
    client = Client()
    bob = fake.sign_in_as(client, "bob@example.com", role="admin")
    client.get("/whoami")
    assert stored(bob).title == "admin at Vestibule"
    assert stored(bob).greeted
