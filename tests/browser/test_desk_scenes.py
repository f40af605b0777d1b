#!/usr/bin/env python3
"""Every page of the desk, in each of its states, is fit for everybody."""

import pytest

from tests.browser.conftest import Visit
from tests.browser.desk_scenes import DESK_SCENES
from tests.browser.test_scenes import check_for_everybody, check_french
from tests.browser.town import Town

each_scene = pytest.mark.parametrize("name", DESK_SCENES)


@each_scene
def test_nobody_is_kept_out_of_the_desk(
    town: Town, visit: Visit, name: str
) -> None:
    """In light and dark, from a phone to a wide screen, in English."""
    visitor = visit(town.server)
    DESK_SCENES[name](visitor, town)
    check_for_everybody(visitor)
    assert visitor.page.locator("html").get_attribute("lang") == "en"


@each_scene
def test_the_desk_speaks_french_without_scripts(
    town: Town, visit: Visit, name: str
) -> None:
    """All of it, also where French takes more room."""
    visitor = visit(town.server, locale="fr-FR", java_script_enabled=False)
    DESK_SCENES[name](visitor, town)
    check_french(visitor)
