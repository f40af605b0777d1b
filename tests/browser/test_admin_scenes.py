#!/usr/bin/env python3
"""Every admin page, in each of its states, is accessible and translated."""

from collections.abc import Callable

import pytest

from tests.browser.admin_scenes import (
    ADMIN_SCENES,
    SAME_MARKUP,
    SHOWN_ELSEWHERE,
)
from tests.browser.conftest import OpenBrowser
from tests.browser.populated_server import PopulatedServer
from tests.browser.scenes import scene_parameters
from tests.browser.test_scenes import check_accessible, check_french
from tests.serving import Server


@pytest.mark.parametrize(
    "name", scene_parameters(ADMIN_SCENES, SHOWN_ELSEWHERE | SAME_MARKUP)
)
def test_admin_page_is_accessible(
    populated: PopulatedServer,
    reuse_browser: OpenBrowser,
    address_of: Callable[[Server], str],
    name: str,
) -> None:
    """In light and dark, from a phone to a wide screen, in English."""
    browser = reuse_browser(address_of(populated.server))
    ADMIN_SCENES[name](browser, populated)
    check_accessible(browser)
    assert browser.page.locator("html").get_attribute("lang") == "en"


@pytest.mark.parametrize(
    "name", scene_parameters(ADMIN_SCENES, SHOWN_ELSEWHERE)
)
def test_admin_page_is_french_without_scripts(
    populated: PopulatedServer,
    reuse_browser: OpenBrowser,
    address_of: Callable[[Server], str],
    name: str,
) -> None:
    """No English text is left, and the longer French texts fit."""
    browser = reuse_browser(
        address_of(populated.server),
        locale="fr-FR",
        java_script_enabled=False,
    )
    ADMIN_SCENES[name](browser, populated)
    check_french(browser)
