#!/usr/bin/env python3
"""The size of the pages, and the requests that block the first paint."""

import pytest

from tests.browser.browser import Browser
from tests.browser.conftest import OpenBrowser, StartServer, add_user
from tests.browser.scenes import PASSWORD, PHONE
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession
from vestibule.web.assets import MAX_LOGO_BYTES

#: Bytes over the wire, with headers and all assets.
MAX_PAGE_BYTES = 60_000
#: Requests that block the first paint, the page itself included.
MAX_REQUESTS_BEFORE_PAINT = 3
EMAIL = "bob@example.com"
OPEN = ("/sign-in", "/register", "/reset", "/signed-out", "/nowhere")
INSIDE = ("/account", "/account/sessions", "/account/activity")
BLOCKING = """performance.getEntriesByType("resource").filter(
    (entry) => entry.renderBlockingStatus === "blocking"
).length"""


def largest_logo() -> str:
    """Return an SVG file of the largest size that is allowed."""
    frame = '<svg xmlns="http://www.w3.org/2000/svg"><!--{}--></svg>'
    return frame.format("x" * (MAX_LOGO_BYTES - len(frame) + 2))


def weigh(browser: Browser, path: str) -> int:
    """Return the bytes of all responses to a browser with an empty cache."""
    browser.page.goto("about:blank")
    session = browser.context.new_cdp_session(browser.page)
    session.send("Network.clearBrowserCache")
    browser.responses.clear()
    browser.goto(path, wait_until="networkidle")
    sizes = [response.request.sizes() for response in browser.responses]
    assert browser.responses[0].request.is_navigation_request()
    return sum(
        size["responseBodySize"] + size["responseHeadersSize"]
        for size in sizes
    )


def blocking(browser: Browser) -> int:
    """Return the number of files that block the page's first paint."""
    return int(browser.page.evaluate(BLOCKING))


def test_every_page_is_small_and_painted_early(
    start_server: StartServer,
    open_browser: OpenBrowser,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """The logo has the largest size, and the lists are full.

    Only the page itself and its style sheet block the first paint.
    """
    logo = tmp_path_factory.mktemp("logo") / "logo.svg"
    logo.write_text(largest_logo())
    assert logo.stat().st_size == MAX_LOGO_BYTES
    server = start_server(
        REGISTRATION="open", AUTHZ_POLICY="self", BRAND_LOGO=str(logo)
    )
    bob: User = add_user(EMAIL, first_name="B" * 40, last_name="b" * 40)
    for number in range(60):
        UserSession(
            user_id=bob.id,
            session_id=str(number),
            user_agent=PHONE,
            ip="2001:db8:1234:5678:9abc:def0:1234:5678",
        ).save()
    browser = open_browser(server)
    for path in OPEN:
        assert 0 < weigh(browser, path) < MAX_PAGE_BYTES, path
        assert 1 <= blocking(browser) <= MAX_REQUESTS_BEFORE_PAINT - 1
    for _ in range(30):
        server.request(
            "POST",
            "/api/v1/auth_session/login",
            data={"email": EMAIL, "password": "wrong"},
        )
    browser.sign_in(EMAIL, PASSWORD)
    for path in INSIDE:
        weight = weigh(browser, path)
        assert MAX_LOGO_BYTES < weight < MAX_PAGE_BYTES, (path, weight)
        assert 1 <= blocking(browser) <= MAX_REQUESTS_BEFORE_PAINT - 1
