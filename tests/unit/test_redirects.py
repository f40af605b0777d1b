#!/usr/bin/env python3
"""Redirects: where browsers may be sent after signing in."""

import re
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vestibule.core.redirects import MAX_URL_LENGTH, safe_redirect, sign_in_url

HOSTS = frozenset({"app.example", "app.example:8443", "[::1]:8000"})
OWN = "own.example"

GOOD = [
    "/",
    "/page",
    "/page?a=b&c=%20d#e",
    "/a//b",
    "/a/../b",
    "/@x",
    "/a:b",
    "/%2e%2e/%5c",
    "/?next=//evil.example",
    "/%0d%0aSet-Cookie:%20a=b",
    "https://app.example",
    "https://app.example/",
    "http://app.example/a?b#c",
    "https://app.example:443/a",
    "http://app.example:80/a",
    "https://app.example:8443/a",
    "http://[::1]:8000/a",
    "/" + "a" * (MAX_URL_LENGTH - 1),
]
BAD = [
    "",
    "page",
    "?a",
    "#a",
    ".",
    "..",
    "./page",
    "../page",
    "evil.example",
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "//",
    "/\\evil.example",
    "\\/evil.example",
    "\\\\evil.example",
    "/a\\b",
    "https:evil.example",
    "https:/evil.example",
    "https:///evil.example",
    "https:\\\\evil.example",
    "https:app.example",
    "https:/app.example",
    "https:///app.example",
    "https://",
    "https://evil.example",
    "https://user@app.example",
    "https://user:a@app.example/",
    "https://app.example@evil.example/",
    "https://app.example:a@evil.example",
    "https://evil.example\\@app.example/",
    "https://evil.example#@app.example",
    "https://evil.example?@app.example",
    "https://app.example\\.evil.example",
    "https://app.example.evil.example/",
    "https://evilapp.example/",
    "https://app.example.",
    "https://app.example:",
    "https://app.example:/",
    "https://app.example:80/",
    "http://app.example:443/",
    "https://app.example:9443/",
    "https://app.example:08443/",
    "https://app.example:0443/",
    "https://app.example:+443/",
    "https://app.example:8443:8443/",
    "https://app.example:99999999/",
    "https://app.example:\u0664\u0664\u0663/",
    "HTTPS://app.example/",
    "https://APP.example/",
    "https://app.EXAMPLE/",
    "https://\u0430pp.example/",
    "https://app\u3002example/",
    "https://app\uff0eexample/",
    "https://\uff41pp.example/",
    "https://app.ex\u00adample/",
    "https://app.\u212axample/",
    "https://xn--pp-6kc.example/",
    "https://app%2eexample/",
    "https://app.example%2f@evil.example/",
    "https%3a//app.example/",
    "%2f%2fevil.example",
    "%2fpage",
    "https://app.example%00.evil.example/",
    "/\t/evil.example",
    "\t//evil.example",
    "/\n/evil.example",
    "/\r/evil",
    " /page",
    "/page ",
    "/pa ge",
    "/page\n",
    "/page\0",
    "\0/page",
    "/page\x7f",
    "/page\x85",
    "/page\u2028",
    "/p\u00e4ge",
    "/\u2215evil",
    "/page\r\nSet-Cookie: a=b",
    "\ufeff/page",
    "\ud800",
    "/page<b>",
    "ht\ntps://app.example/",
    "https://app.exa\tmple/",
    "javascript:alert(1)",
    "javascript://app.example/%0aalert(1)",
    "data:text/html,a",
    "ftp://app.example/",
    "file:///etc/passwd",
    "blob:https://app.example/",
    "view-source:https://app.example/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://0x7f.1/",
    "https://2130706433/",
    "https://[v1.a]/",
    "https://[::1%25a]:8000/",
    "/" + "a" * MAX_URL_LENGTH,
    "/" + "a" * 10_000,
    "https://app.example/" + "a" * 10_000,
    "https://" + "a" * 10_000,
]


@pytest.mark.parametrize("address", GOOD)
def test_good_addresses_are_accepted_unchanged(address: str) -> None:
    """What leads here or to an allowed host is taken as it is."""
    assert safe_redirect(address, HOSTS) == address


@pytest.mark.parametrize("address", [*BAD, None])
def test_bad_addresses_are_refused(address: str | None) -> None:
    """What leads elsewhere, or would have to be repaired, is refused."""
    assert safe_redirect(address, HOSTS) is None


@pytest.mark.parametrize("address", GOOD)
def test_without_a_list_only_paths_are_accepted(address: str) -> None:
    """Without a list only the paths of this host are left."""
    kept = address if address.startswith("/") else None
    assert safe_redirect(address) == kept


def read_by_browser(address: str) -> str:
    """Return where a browser on the own host goes (WHATWG URL, 4.4).

    It drops controls and blanks at both ends, tabs and line breaks
    anywhere, and reads a backslash as a slash; after a scheme of its own
    any number of slashes begins the host.
    """
    repaired = re.sub(
        r"[\t\r\n]", "", address.strip("".join(map(chr, range(0x21))))
    )
    head, mark, rest = repaired.partition("?")
    repaired = head.replace("\\", "/") + mark + rest
    if found := re.match(r"(?i)(https?):/*(.*)", repaired, re.DOTALL):
        repaired = f"{found[1].lower()}://{found[2]}"
    elif repaired.startswith("//"):
        repaired = "//" + repaired.lstrip("/")
    return urljoin(f"https://{OWN}/sign-in", repaired)


PIECES = st.lists(
    st.sampled_from(
        [
            "/",
            "//",
            "\\",
            "http",
            "https",
            ":",
            "://",
            "@",
            "?",
            "#",
            "%2f",
            "%5c",
            "\t",
            "\n",
            " ",
            "\0",
            ".",
            "..",
            "evil.example",
            OWN,
            "app.example",
            "APP.example",
            ":443",
            ":80",
            ":8443",
            "[::1]:8000",
            "xn--",
            "\u0430",
            "\uff0e",
            "a",
            ";",
            "javascript:",
        ]
    )
    | st.text(max_size=3),
    max_size=8,
).map("".join)


@given(PIECES | st.text() | st.from_regex(r"(https?:)?[/\\]{0,3}.*"))
@example("https://app.example@evil.example/")
@example("/\t/evil.example")
@example("/\\evil.example")
def test_accepted_address_leads_to_an_allowed_host(address: str) -> None:
    """A browser that repairs addresses goes to no other host."""
    if safe_redirect(address, HOSTS) is None:
        return
    reached = urlsplit(read_by_browser(address))
    port = {"http": ":80", "https": ":443"}[reached.scheme]
    assert reached.netloc.removesuffix(port) in {OWN, *HOSTS}


@given(
    st.sampled_from(["https", "http", "", "javascript"]),
    st.sampled_from([OWN, "app.example", "evil.example", "", "a@b"]),
    PIECES.map("/".__add__) | PIECES,
)
def test_return_url_is_safe_or_none(scheme: str, host: str, path: str) -> None:
    """For any request of a proxy, the URL is safe as a browser reads it."""
    for login_url in ("/sign-in", f"https://{OWN}/sign-in?lang=de"):
        address = sign_in_url(login_url, (scheme, host, path), HOSTS)
        assert address.isascii() and address.isprintable()
        base, asked, back = address.partition("return_to=")
        if not asked:
            assert address == login_url
            continue
        assert base[:-1] == login_url and base[-1] in "?&"
        assert "&" not in back and "#" not in back and "?" not in back
        assert safe_redirect(unquote(back), HOSTS) == unquote(back)


@pytest.mark.parametrize(
    ("login_url", "forwarded", "address"),
    [
        (
            "/in",
            ("https", "app.example", "/a?b=c&d"),
            "/in?return_to=/a%3Fb%3Dc%26d",
        ),
        (
            "https://own.example/in",
            ("https", "own.example", "/a"),
            "https://own.example/in?return_to=/a",
        ),
        (
            "https://own.example/in?x=y",
            ("https", "app.example", "/a"),
            "https://own.example/in?x=y&return_to=https%3A//app.example/a",
        ),
        (
            "https://own.example/in",
            ("https", "evil.example", "/a"),
            "https://own.example/in",
        ),
        (
            "https://own.example/in",
            ("https", "evil.example", "//own.example"),
            "https://own.example/in",
        ),
        (
            "https://own.example/in",
            ("https", None, "/a"),
            "https://own.example/in",
        ),
        (
            "https://own.example/in",
            ("https", "app.example", "https://a"),
            "https://own.example/in",
        ),
        (
            "https://own.example/in",
            (None, None, None),
            "https://own.example/in",
        ),
        ("/in", ("https", "app.example", "/" + "a" * 10_000), "/in"),
        ("/in", ("https", "app.example", None), "/in"),
    ],
)
def test_sign_in_url_has_only_a_safe_return_url(
    login_url: str,
    forwarded: tuple[str | None, str | None, str | None],
    address: str,
) -> None:
    """It has the way back where that is safe, and nothing else."""
    assert sign_in_url(login_url, forwarded, HOSTS) == address


@pytest.mark.parametrize(
    ("listed", "address", "is_safe"),
    [
        ("app.example:443", "https://app.example/x", True),
        ("app.example:443", "https://app.example:443/x", True),
        ("app.example:443", "http://app.example/x", False),
        ("app.example:80", "http://app.example/x", True),
        ("app.example:80", "https://app.example/x", False),
        ("app.example", "https://app.example:443/x", True),
        ("app.example", "https://app.example:80/x", False),
        ("[::1]:443", "https://[::1]/x", True),
    ],
)
def test_default_port_may_be_listed_or_left_out(
    listed: str, address: str, is_safe: bool
) -> None:
    """Browsers leave it out, and operators may write it."""
    found = safe_redirect(address, (listed,))
    assert found == (address if is_safe else None)
