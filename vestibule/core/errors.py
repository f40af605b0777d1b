#!/usr/bin/env python3
"""The tree of errors: what went wrong, and which HTTP status fits.

The message of an error is written for the person who can act on it;
`public` decides which text a client may read. `code` names the kind of
failure for programs: the pages look up their own messages by it.
"""


class VestibuleError(Exception):
    """Any failure that the service foresees; the root of the tree."""

    #: The HTTP status that fits this failure.
    status = 500
    #: The text for the client; `None` means the error's own message.
    public: str | None = "Internal Server Error"
    #: True if the failure was logged when it was found, so that it is not
    #: logged again for each request.
    is_logged = False
    #: The kind of failure; where `status` is 500 or more, pages show the
    #: text of the status instead of a message for the code.
    code = "internal_error"


class ConfigurationError(VestibuleError):
    """A setting has a value with which the service cannot start."""

    code = "configuration"

    def __init__(self, name: str, why: str) -> None:
        """Keep the setting's `name`; `why` says what it should be."""
        super().__init__(f"{name}: {why}")
        self.name = name


class InvalidValue(VestibuleError, ValueError):
    """A value is not allowed in the field that it was given for."""

    status = 400
    public = None

    def __init__(
        self, field: str, why: str, *, code: str, **details: int | str
    ) -> None:
        """Keep the `field`'s name and `why`, which completes "<field> ...".

        `details` are the values that the page's message for `code` needs.
        """
        super().__init__(f"{field} {why}")
        self.field = field
        self.why = why
        self.code = code
        self.details = details


class UnreadableHeader(InvalidValue):
    """A header that the service must understand has an unusable value."""

    code = "unreadable_header"

    def __init__(self, name: str) -> None:
        """Name the header; its value is not repeated."""
        super().__init__(
            name,
            "is empty, malformed or has characters that cannot be read",
            code=self.code,
            name=name,
        )


class WrongPassword(VestibuleError):
    """The password that was given to confirm an action is wrong."""

    status = 401
    public = "wrong password"
    code = "wrong_password"


class EmailNotConfirmed(VestibuleError):
    """The password is right, but the email was never confirmed by a mail."""

    status = 403
    public = "email not confirmed"
    code = "email_not_confirmed"


class ReauthenticationRequired(VestibuleError):
    """The action needs a recent confirmation of the password."""

    status = 403
    public = "Re-authentication required"
    code = "reauthentication_required"


class AccountChanged(VestibuleError):
    """A form was made for another account than the one signed in now."""

    status = 409
    public = "another account is signed in"
    code = "account_changed"


class DuplicateEmail(InvalidValue):
    """Another user has this email already: one email is one account."""

    def __init__(self) -> None:
        """Create the error without repeating the address."""
        super().__init__("email", "is already registered", code="taken")


class LastAdmin(VestibuleError):
    """The change would leave no admin who can sign in."""

    status = 409
    public = None
    code = "last_admin"

    def __init__(self) -> None:
        """Create the error with the list of what is not possible."""
        super().__init__(
            "the last admin cannot be demoted, disabled or deleted"
        )


class WrongCode(VestibuleError):
    """A one-time code is not the right one, is used up or is too old."""

    status = 400
    public = None

    def __init__(self) -> None:
        """Set the message, which does not say which of the reasons it is."""
        super().__init__("wrong or expired code")


class WrongResetCode(WrongCode):
    """A code to set a new password was refused."""

    code = "wrong_reset_code"


class WrongLink(WrongCode):
    """The link of a mail was refused."""

    code = "wrong_link"

    def __init__(self) -> None:
        """Set the message."""
        super(WrongCode, self).__init__("wrong or expired link")


class WrongSetupCode(WrongCode):
    """A code to create the first admin was refused."""

    code = "wrong_setup_code"


class SecondFactorRequired(VestibuleError):
    """The password is right, and the login waits for a second factor."""

    status = 401
    public = "second factor required"
    code = "second_factor_required"

    def __init__(self) -> None:
        """Set the message."""
        super().__init__("the user has a second factor")


class WrongSecondFactor(VestibuleError):
    """A code of a second factor is wrong, or was used before."""

    status = 401
    public = "wrong code"
    code = "wrong_second_factor"

    def __init__(self) -> None:
        """Set the message, which does not say which of the reasons it is."""
        super().__init__("wrong code")


class FactorRequired(VestibuleError):
    """The user must set up a second factor, or give it, before going on."""

    status = 403
    public = "a second factor is required"
    code = "factor_required"

    def __init__(self) -> None:
        """Set the message."""
        super().__init__("REQUIRE_MFA asks for a second factor")


class LastFactor(VestibuleError):
    """The user's last second factor cannot be removed: one is required."""

    status = 409
    public = "the last second factor cannot be removed"
    code = "last_factor"

    def __init__(self) -> None:
        """Set the message."""
        super().__init__("REQUIRE_MFA asks for a second factor")


class FactorSwitchedOff(VestibuleError):
    """A factor of this kind failed too often in a row."""

    status = 403
    public = "this factor is switched off after too many wrong codes"
    code = "factor_switched_off"

    def __init__(self) -> None:
        """Set the message."""
        super().__init__("the factor is switched off")


class LoginExpired(VestibuleError):
    """No login of this browser waits for a second factor."""

    status = 401
    public = "the login has expired: log in again"
    code = "login_expired"

    def __init__(self) -> None:
        """Set the message."""
        super().__init__("no login waits for a second factor")


class PasskeyRefused(VestibuleError):
    """The answer of an authenticator was refused."""

    status = 401
    public = "passkey refused"
    code = "passkey_refused"

    def __init__(self, reason: str) -> None:
        """Keep `reason`, one word for the log; the client is not told."""
        super().__init__(f"the passkey was refused: {reason}")
        self.reason = reason


class UnknownPasskey(PasskeyRefused):
    """No user has the passkey that answered."""

    code = "unknown_passkey"


class LastPasskey(VestibuleError):
    """The user would have no way left to sign in."""

    status = 409
    public = None
    code = "last_passkey"

    def __init__(self) -> None:
        """Set the message, which says what is needed."""
        super().__init__(
            "without a password, the last passkey cannot be removed"
        )


class WrongFactorResetCode(WrongCode):
    """A code to remove a user's second factors was refused."""

    code = "wrong_factor_reset_code"


class FactorResetRefused(VestibuleError):
    """An admin may not reset the second factors of this user now."""

    status = 403
    public = "resetting factors needs your own second factor, and another user"
    code = "factor_reset_refused"

    def __init__(self) -> None:
        """Set the message."""
        super().__init__(self.public)


class RecordGone(VestibuleError):
    """The object to change was deleted in the meantime."""

    status = 404
    public = "Not found"
    code = "gone"


class SchemaMismatch(VestibuleError):
    """The database's schema is not the one that this program works with."""

    status = 503
    public = "Service Unavailable"
    code = "schema_mismatch"


class VestibuleUnavailable(VestibuleError):
    """An application cannot determine the user, so it refuses the request."""

    status = 503
    public = "Service Unavailable"
    code = "service_unavailable"


class SessionNotCreated(VestibuleError):
    """A mechanism defined outside this package created no session."""

    code = "session_not_created"

    def __init__(self, mechanism: str) -> None:
        """Name the class whose method is at fault."""
        super().__init__(f"{mechanism}.create_session returned no session id")


class Throttled(VestibuleError):
    """Too many attempts failed; the client must wait before the next."""

    status = 429
    public = "Too Many Requests"
    code = "throttled"

    def __init__(self, retry_after: int) -> None:
        """Keep `retry_after`, the seconds to wait before another try."""
        super().__init__("too many failed attempts")
        self.retry_after = retry_after


class DatabaseUnavailable(VestibuleError):
    """The database cannot carry out a request, for now or at all."""

    status = 503
    public = "Service Unavailable"
    code = "database_unavailable"
    #: Seconds to wait before another try.
    retry_after = 5


class DatabaseReplaced(DatabaseUnavailable):
    """The path of an open SQLite file has another file, or none."""

    is_logged = True

    def __init__(self, path: str) -> None:
        """Name the `path`, and what to do."""
        super().__init__(
            f"the database file {path} was replaced or deleted while it was"
            " in use: restart the service"
        )


class ServiceBusy(VestibuleError):
    """The service is overloaded; the same request may succeed soon."""

    status = 503
    public = "Service Unavailable"
    code = "busy"

    def __init__(self, why: str, retry_after: int = 1) -> None:
        """Keep `retry_after`, the seconds to wait before another try."""
        super().__init__(why)
        self.retry_after = retry_after
