#!/usr/bin/env python3
"""What a page weighs, and what a browser waits for before it paints."""

import pytest

from tests.browser.conftest import Open, Visit, settle
from tests.browser.scenes import PASSWORD, PHONE
from tests.browser.visitor import Visitor
from tests.serving import Server
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession
from vestibule.web.assets import MAX_LOGO_BYTES

#: Bytes over the wire, headers and all assets included.
MOST = 60_000
#: Requests that have to be answered before the first paint.
MOST_BEFORE_PAINT = 3
EMAIL = "bob@example.com"
OPEN = ("/sign-in", "/register", "/reset", "/signed-out", "/nowhere")
INSIDE = ("/account", "/account/sessions", "/account/activity")
_BLOCKING = """performance.getEntriesByType("resource").filter(
    (entry) => entry.renderBlockingStatus === "blocking"
).length"""


def largest_logo() -> str:
    """Return an SVG file that just may be served."""
    frame = '<svg xmlns="http://www.w3.org/2000/svg"><!--{}--></svg>'
    return frame.format("x" * (MAX_LOGO_BYTES - len(frame) + 2))


def weigh(visitor: Visitor, path: str) -> int:
    """Return the bytes of all answers to a browser that comes anew."""
    visitor.page.goto("about:blank")
    session = visitor.context.new_cdp_session(visitor.page)
    session.send("Network.clearBrowserCache")
    visitor.answers.clear()
    visitor.page.goto(path, wait_until="networkidle")
    sizes = [answer.request.sizes() for answer in visitor.answers]
    assert visitor.answers[0].request.is_navigation_request()
    return sum(
        size["responseBodySize"] + size["responseHeadersSize"]
        for size in sizes
    )


def test_every_page_is_light(
    open_house: Open, visit: Visit, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With the largest logo, the most sessions and events on a page."""
    logo = tmp_path_factory.mktemp("logo") / "logo.svg"
    logo.write_text(largest_logo())
    assert logo.stat().st_size == MAX_LOGO_BYTES
    house = open_house(REGISTRATION="open", BRAND_LOGO=str(logo))
    bob: User = settle(EMAIL, first_name="B" * 40, last_name="b" * 40)
    for number in range(60):
        UserSession(
            user_id=bob.id,
            session_id=str(number),
            user_agent=PHONE,
            ip="2001:db8:1234:5678:9abc:def0:1234:5678",
        ).save()
    visitor = visit(house)
    for path in OPEN:
        assert 0 < weigh(visitor, path) < MOST, path
    for _ in range(30):
        house.request(
            "POST",
            "/api/v1/auth_session/login",
            data={"email": EMAIL, "password": "wrong"},
        )
    visitor.sign_in(EMAIL, PASSWORD)
    for path in INSIDE:
        weight = weigh(visitor, path)
        assert MAX_LOGO_BYTES < weight < MOST, (path, weight)


@pytest.mark.parametrize("path", OPEN + INSIDE)
def test_the_first_paint_waits_for_little(
    house: Server, visit: Visit, bob: User, path: str
) -> None:
    """For the page itself and its style sheet."""
    visitor = visit(house)
    if path in INSIDE:
        visitor.sign_in(str(bob.email), PASSWORD)
    visitor.page.goto(path, wait_until="networkidle")
    blocking = int(visitor.page.evaluate(_BLOCKING))
    assert 1 <= blocking <= MOST_BEFORE_PAINT - 1
