#!/usr/bin/env python3
"""A backend that sets the fields of the project's own."""

from typing import Any

from vestibule.protect.django.backends import VestibuleBackend
from vestibule.protect.verify_response import Principal


class OwnBackend(VestibuleBackend):
    """Gives each user a title."""

    def user_fields(self, principal: Principal) -> dict[str, Any]:
        """Return the fields, with the title."""
        title = f"{principal.role} at Vestibule"
        return {**super().user_fields(principal), "title": title}

    def configure_user(
        self, request: Any, user: Any, principal: Principal, created: bool
    ) -> None:
        """Greet a new user."""
        super().configure_user(request, user, principal, created)
        if created:
            user.greeted = True
            user.save(update_fields=["greeted"])
