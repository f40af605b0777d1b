#!/usr/bin/env python3
"""Forms of the account: they name it, and are refused for another one."""

import re

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import (
    NEW,
    PASSWORD,
    Service,
    stored_user,
)
from tests.app.web.browser import Page, signed_in
from tests.clocks import SetClock
from tests.serving import ROOT
from vestibule.db.models.user import User

PATH = "/account"
#: The address and the content of a form that is sent by POST.
POST_FORM = re.compile(
    r'<form (?:class="\w+" )?method="post" action="([^"]*)"[^>]*>(.*?)</form>',
    re.DOTALL,
)
EVIL = "<script>alert(1)</script>\u202e" + "x" * 160
FORMS: dict[str, dict[str, str]] = {
    "name": {"first_name": "Amy", "last_name": "Winehouse"},
    "email": {"email": "new@example.com", "password": PASSWORD},
    "password": {"current_password": PASSWORD, "new_password": NEW},
    "delete": {"password": PASSWORD},
}


@pytest.fixture
def one_service(build: Build, set_clock: SetClock) -> Service:
    """Return a service with pages and sessions in the database."""
    return build("session_db_auth", WEB_PAGES="on", THROTTLE="on")


def stored(user: User) -> User:
    """Return the user as stored."""
    found = User.get(user.id)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("path", "action"),
    [
        (PATH, f"{PATH}/email"),
        (PATH, f"{PATH}/password"),
        (f"{PATH}/delete", f"{PATH}/delete"),
    ],
)
def test_password_forms_name_the_account(
    one_service: Service, set_clock: SetClock, path: str, action: str
) -> None:
    """Password managers store the new password for the right account."""
    user = stored_user()
    here = signed_in(one_service, user)
    set_clock.advance(301)
    _, _, rest = here.get(path).text.partition(f'action="{action}"')
    form = rest.partition("</form>")[0]
    assert 'type="password"' in form
    (field,) = [tag for tag in form.split("<") if "username" in tag]
    assert f'value="{user.email}"' in field


@pytest.mark.parametrize("name", FORMS)
def test_form_of_another_account_is_refused(
    one_service: Service, name: str
) -> None:
    """One user's page is still open when another signs in there."""
    ada, bob = stored_user(), stored_user()
    here = signed_in(one_service, ada)
    path = f"{PATH}/{name}" if name == "delete" else PATH
    stale = Page(here.get(path)).fields()["account"]["value"]
    assert stale == ada.id
    here = signed_in(one_service, bob)
    answer = here.post(f"{PATH}/{name}", {**FORMS[name], "account": stale})
    assert answer.status_code == 409
    text = "You are signed in with another account now."
    assert text in Page(answer).text
    assert stored(bob).to_json() == bob.to_json()
    assert stored(ada).to_json() == ada.to_json()
    answer = here.post(f"{PATH}/{name}", {**FORMS[name], "account": bob.id})
    assert answer.status_code == 303


def test_each_form_of_a_signed_in_user_names_the_account() -> None:
    """Except that to sign out, which does the same for every account."""
    folder = ROOT / "vestibule/web/templates"
    seen = 0
    for file in folder.glob("*.html"):
        text = file.read_text()
        forms = POST_FORM.findall(text)
        assert len(forms) == text.count('method="post"'), file
        for action, form in forms:
            if "form.owner()" in form:
                seen += 1
            else:
                assert file.stem in (
                    "factor_reset",
                    "forgot",
                    # A code or a link of a mail names the account itself.
                    "mail_link",
                    "register",
                    "reset",
                    "second_factor",
                    "setup",
                    "sign_in",
                ) or action.rpartition("/")[2] in ("preferences", "sign-out")
    assert seen >= 9
