#!/usr/bin/env python3
"""Hypothesis strategies for cookies and credentials of any kind.

Headers are as in a WSGI environ: bytes of one line, read as Latin-1. A
placeholder `<kind>` stands for a session or a credential.
"""

from typing import NamedTuple

from hypothesis import strategies as st

from tests.serving import COOKIE

#: Kinds of session ids.
SESSIONS = (
    "empty",
    "unknown",
    "live",
    "ended",
    "expired",
    "disabled",
    "removed",
)
#: Kinds of credentials after `Basic`.
CREDENTIALS = ("right", "wrong", "out")


class SentRequest(NamedTuple):
    """A request; a header that is `None` is not sent."""

    cookies: str | None = None
    authorization: str | None = None
    end: str = ""
    method: str = "GET"


def session_cookie(kind: str) -> str:
    """Return the `Cookie` header with a session of this kind."""
    return f"{COOKIE}=<{kind}>"


_PRINTED = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40
)
_RAW = st.text(
    st.just("\t")
    | st.characters(
        min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"
    ),
    max_size=40,
)
_SESSION_COOKIE = st.sampled_from(SESSIONS).map(session_cookie)
#: A cookie: name, opening and closing characters around the value, and the
#: separator; most often well formed.
_PAIR = st.builds(
    "{}{}{}{}{}".format,
    st.just(f"{COOKIE}=")
    | st.sampled_from(
        [
            f"{COOKIE} = ",
            f"{COOKIE}==",
            f"{COOKIE};",
            f"{COOKIE.upper()}=",
            f"{COOKIE}x=",
            f"x{COOKIE}=",
            f"\xef\xbb\xbf{COOKIE}=",
            "theme=",
            "\xe4=",
            "=",
            "",
        ]
    ),
    st.just("") | st.sampled_from(['"', '""', " ", "\t", "\xa0", "\\"]),
    st.sampled_from(SESSIONS).map("<{}>".format) | _RAW,
    st.just("") | st.sampled_from(['"', '""', " ", "\x85", "\xff", "%00"]),
    st.just("; ") | st.sampled_from([";", ";;", " ; ", ",", " ", "\t;", ""]),
)
COOKIES = st.none() | st.one_of(
    _SESSION_COOKIE,
    st.lists(_SESSION_COOKIE, min_size=2, max_size=3).map("; ".join),
    st.lists(_PAIR, max_size=4).map("".join),
    _RAW,
)
_SCHEMES = (
    "Basic ",
    "basic ",
    "BASIC ",
    "Basic\t",
    "Basic  ",
    "Basic",
    "Bearer ",
    "Digest ",
    "Negotiate ",
    "DPoP ",
    "\x80 ",
    "",
)
AUTHORIZATIONS = st.none() | st.one_of(
    st.sampled_from(CREDENTIALS).map("Basic <{}>".format),
    st.builds(
        "{}{}".format,
        st.sampled_from(_SCHEMES),
        st.sampled_from(
            [
                "",
                "!",
                "a.b.c",
                "Og==",
                'username="a"',
                "<right>",
                "<right>=",
                "<right>, Bearer a",
                "<right> ",
            ]
        )
        | _PRINTED
        | _RAW,
    ),
)
SENT_REQUESTS = st.builds(
    SentRequest,
    COOKIES,
    AUTHORIZATIONS,
    st.sampled_from(["", "/", "?redirect=off", "/?redirect=off"]),
    st.sampled_from(["GET", "HEAD"]),
)

#: Query strings of verify by what they answer to a member with a valid
#: session.
RULES = {
    "": 200,
    "role=member": 200,
    "groups=member": 200,
    "groups=admin&groups=member": 200,
    "role=member&groups=member&redirect=off": 200,
    "role=m%65mber": 200,
    "recent=on": 200,
    "recent=on&role=member": 200,
    "recent=on&role=admin": 403,
    "recent=on&recent=on": 400,
    "recent=off": 400,
    "role=admin": 403,
    "groups=admin": 403,
    "groups=admin&groups=admin": 403,
    "role=member&groups=admin": 403,
    "role=admin&groups=member": 403,
    "role=": 400,
    "role": 400,
    "groups=": 400,
    "groups=member&groups=": 400,
    "groups=member,admin": 400,
    "role=member&role=admin": 400,
    "role=member&role=member": 400,
    "role=owner": 400,
    "role=Member": 400,
    "role=%FF": 400,
    "role=member&": 400,
    "Role=member": 400,
    "roles=member": 400,
    "role=member;a": 400,
    "role%5B%5D=member": 400,
    "redirect=on": 400,
    "redirect=off&redirect=off": 400,
    "a=b": 400,
    "&".join(["groups=member"] * 100): 400,
}
