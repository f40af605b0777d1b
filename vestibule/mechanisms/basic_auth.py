#!/usr/bin/env python3
"""HTTP Basic authentication: email and password in each request (RFC 7617)."""

import base64
import binascii
from typing import Any, Optional, Tuple

from vestibule.accounts.authentication import check_credentials
from vestibule.accounts.permissions import Actor
from vestibule.audit.log import EventType, log
from vestibule.core.client_info import client_of, current_client
from vestibule.core.errors import Throttled
from vestibule.db import factors
from vestibule.db.models.user import User
from vestibule.mechanisms.auth import Auth

_SCHEME = "Basic "


class BasicAuth(Auth):
    """Authenticates users by the `Authorization: Basic` header."""

    #: The scheme of the challenge in a 401 (RFC 7617).
    scheme = "Basic"

    def extract_base64_authorization_header(
        self, authorization_header: Optional[str]
    ) -> Optional[str]:
        """Return what follows `Basic `, or `None`."""
        if not isinstance(authorization_header, str):
            return None
        if not authorization_header.startswith(_SCHEME):
            return None
        return authorization_header.removeprefix(_SCHEME)

    def decode_base64_authorization_header(
        self, base64_authorization_header: Optional[str]
    ) -> Optional[str]:
        """Return the UTF-8 text that the Base64 encodes, or `None`."""
        if not isinstance(base64_authorization_header, str):
            return None
        try:
            return base64.b64decode(
                base64_authorization_header, validate=True
            ).decode("utf-8")
        except (binascii.Error, ValueError):
            return None

    def extract_user_credentials(
        self, decoded_base64_authorization_header: Optional[str]
    ) -> Tuple[Optional[str], Optional[str]]:
        """Return email and password, split at the first colon.

        A password may contain colons, and is not changed.
        """
        if not isinstance(decoded_base64_authorization_header, str):
            return None, None
        email, colon, password = decoded_base64_authorization_header.partition(
            ":"
        )
        return (email, password) if colon else (None, None)

    def user_object_from_credentials(
        self, user_email: Optional[str], user_pwd: Optional[str]
    ) -> Optional[User]:
        """Return the user with this email and password, or `None`."""
        if not isinstance(user_email, str) or not isinstance(user_pwd, str):
            return None
        found = User.search({"email": user_email})
        return check_credentials(
            found, user_email, user_pwd, actor=Actor.at(current_client())
        )

    def current_user(self, request: Any = None) -> Optional[User]:
        """Return the user whose credentials `request` has, or `None`."""
        header = self.authorization_header(request)
        encoded = self.extract_base64_authorization_header(header)
        decoded = self.decode_base64_authorization_header(encoded)
        email, password = self.extract_user_credentials(decoded)
        if header is not None and (email is None or password is None):
            log(EventType.LOGIN_FAILED, reason="unreadable_credentials")
        with client_of(request) as is_foreign:
            try:
                user = self.user_object_from_credentials(email, password)
            except Throttled:
                # Another application does not know this error. It refuses
                # the request, as for a wrong password.
                if is_foreign:
                    return None
                raise
        if user is not None and factors.has_any(user.id):
            # A password alone would go round the user's second factor.
            log(EventType.LOGIN_FAILED, user=user.id, reason="second_factor")
            return None
        return user
