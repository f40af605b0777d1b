#!/usr/bin/env python3
"""Each status of the routes for trusted browsers."""

from flask.testing import FlaskClient

from tests.app.openapi.operation_client import OperationClient
from tests.e2e.server.accounts import Account
from vestibule.core import clock
from vestibule.db import browsers

#: Operations about factors and trust, all of which need sessions.
OPERATIONS = (
    "nameFactor",
    "listTrustedBrowsers",
    "stopTrustingBrowser",
    "listTrustedBrowsersOf",
    "stopTrustingBrowserOf",
)


def use_trusted_browsers(
    scene: OperationClient,
    client: FlaskClient,
    owner: Account,
    code: dict[str, str],
) -> None:
    """List and end the trust in a browser, by its user and by an admin.

    The client's login waits for the `code`. No browser is trusted at the
    end.
    """
    send, form = scene.send, code | {"trust": "on"}
    assert send("giveSecondFactor", client, data=form) == 200
    assert send("listTrustedBrowsers", client) == 200
    assert send("listTrustedBrowsersOf", target=owner) == 200
    for is_own in (True, False):
        browser = browsers.new_browser(clock.now(), None, None)
        browsers.trust(owner.id, browser.id, "binding", browser)
        place = {"browser_id": browser.id}
        for status in (200, 404):
            if is_own:
                sent = send("stopTrustingBrowser", client, places=place)
            else:
                sent = send(
                    "stopTrustingBrowserOf", target=owner, places=place
                )
            assert sent == status
    browsers.end_trust_of_user(owner.id)
