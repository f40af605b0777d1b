#!/usr/bin/env python3
"""Every admin page, in each of its states, is accessible and translated."""

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


@pytest.mark.parametrize(
    "name", scene_parameters(ADMIN_SCENES, SHOWN_ELSEWHERE | SAME_MARKUP)
)
def test_admin_page_is_accessible(
    populated: PopulatedServer, open_browser: OpenBrowser, name: str
) -> None:
    """In light and dark, from a phone to a wide screen, in English."""
    browser = open_browser(populated.server)
    ADMIN_SCENES[name](browser, populated)
    check_accessible(browser)
    assert browser.page.locator("html").get_attribute("lang") == "en"


@pytest.mark.parametrize(
    "name", scene_parameters(ADMIN_SCENES, SHOWN_ELSEWHERE)
)
def test_admin_page_is_french_without_scripts(
    populated: PopulatedServer, open_browser: OpenBrowser, name: str
) -> None:
    """No English text is left, and the longer French texts fit."""
    browser = open_browser(
        populated.server, locale="fr-FR", java_script_enabled=False
    )
    ADMIN_SCENES[name](browser, populated)
    check_french(browser)
