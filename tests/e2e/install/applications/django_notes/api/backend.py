#!/usr/bin/env python3
"""How users of Vestibule become users of the project."""

from vestibule.protect.django.backends import VestibuleBackend


class Backend(VestibuleBackend):
    """Sets the nickname too."""

    def user_fields(self, principal):
        """Return the fields that follow Vestibule."""
        fields = super().user_fields(principal)
        return fields | {"nickname": principal.first_name or ""}
