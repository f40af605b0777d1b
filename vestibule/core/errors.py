#!/usr/bin/env python3
"""One tree of errors: what went wrong, and what HTTP would call it.

Its law: the message of an error is for the person who can act on it;
what a client may read of it is decided by `public`.
"""


class VestibuleError(Exception):
    """Any failure that the service foresees; the root of the tree."""

    #: The HTTP status that fits this failure.
    status = 500
    #: What a client is told; `None` means: the error's own message.
    public: str | None = "Internal Server Error"


class ConfigurationError(VestibuleError):
    """A setting's value makes it impossible to start."""

    def __init__(self, name: str, why: str) -> None:
        """Keep the setting's `name`; `why` says what it should be."""
        super().__init__(f"{name}: {why}")
        self.name = name


class InvalidValue(VestibuleError, ValueError):
    """A value cannot be taken for the field it was given for."""

    status = 400
    public = None

    def __init__(self, field: str, why: str) -> None:
        """Keep the `field`'s name and `why`, which completes "<field> ..."."""
        super().__init__(f"{field} {why}")
        self.field = field
        self.why = why


class WrongPassword(VestibuleError):
    """The password that should prove who asks is not theirs."""

    status = 401
    public = "wrong password"


class ReauthenticationRequired(VestibuleError):
    """What is asked for needs a recent proof of the password."""

    status = 403
    public = "Re-authentication required"


class DuplicateEmail(InvalidValue):
    """Another user has this email already: one email is one account."""

    def __init__(self) -> None:
        """Say so without repeating the address."""
        super().__init__("email", "is already registered")


class LastAdmin(VestibuleError):
    """The change would leave nobody who may manage the others."""

    status = 409
    public = None

    def __init__(self) -> None:
        """Say what is not possible."""
        super().__init__(
            "the last admin cannot be demoted, disabled or deleted"
        )


class WrongCode(VestibuleError):
    """A reset code is not the user's, is used up or is too old."""

    status = 400
    public = None

    def __init__(self) -> None:
        """Say so, and not which of these it is."""
        super().__init__("wrong or expired code")


class RecordGone(VestibuleError):
    """The object to change was deleted in the meantime."""

    status = 404
    public = "Not found"


class SchemaMismatch(VestibuleError):
    """The database's schema is not the one this program works with."""

    status = 503
    public = "Service Unavailable"


class VestibuleUnavailable(VestibuleError):
    """An application cannot learn who asks: nobody may pass then."""

    status = 503
    public = "Service Unavailable"


class SessionNotCreated(VestibuleError):
    """A mechanism of somebody's own began no session at a login."""

    def __init__(self, mechanism: str) -> None:
        """Name the class whose method is at fault."""
        super().__init__(f"{mechanism}.create_session returned no session id")


class Throttled(VestibuleError):
    """Too many attempts failed; the next has to wait."""

    status = 429
    public = "Too Many Requests"

    def __init__(self, retry_after: int) -> None:
        """Keep `retry_after`, the seconds to wait before another try."""
        super().__init__("too many failed attempts")
        self.retry_after = retry_after


class DatabaseUnavailable(VestibuleError):
    """The database cannot do what was asked, now or at all."""

    status = 503
    public = "Service Unavailable"


class ServiceBusy(VestibuleError):
    """Too much is asked at this moment; the same request may work soon."""

    status = 503
    public = "Service Unavailable"

    def __init__(self, why: str, retry_after: int = 1) -> None:
        """Keep `retry_after`, the seconds to wait before another try."""
        super().__init__(why)
        self.retry_after = retry_after
