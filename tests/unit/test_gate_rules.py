#!/usr/bin/env python3
"""The rules of the gate: what a file may say, and which rule counts."""

import re
from textwrap import dedent

import pytest

from tests.serving import ROOT
from vestibule.core.errors import ConfigurationError
from vestibule.core.gate_rules import (
    Access,
    GateRules,
    PathPattern,
    Target,
    decoded_path,
    split_host,
    target_of,
)
from vestibule.core.gate_rules_file import parse_rules


def rules(text: str) -> GateRules:
    """Return the rules of a file."""
    return parse_rules(dedent(text).encode())


def number(
    found: GateRules,
    url: str,
    method: str = "GET",
    address: str = "192.0.2.1",
    role: str | None = "member",
) -> int:
    """Return the number of the rule that counts; 0 is the default."""
    host, slash, path = url.partition("/")
    target = target_of(host, slash + path, method)
    assert target is not None
    return found.rule_for(target, address, role).number


FILE = """\
    [[rule]]  # the status page
    host = "status.example"
    method = ["GET", "HEAD"]
    access = "open"

    [[rule]]
    host = "*.example"
    path = "/admin"
    role = "admin"
    level = 2
    fresh = 300

    [[rule]]
    path = ["/admin", "/api/*/secret"]
    access = "deny"

    [[rule]]
    host = "wiki.example:8443"
    network = ["10.0.0.0/8", "2001:db8::/32"]
    access = "open"
"""


@pytest.mark.parametrize(
    ("url", "client", "expected"),
    [
        ("status.example/x", {}, 1),
        ("STATUS.example:443/x", {}, 1),
        ("status.example./x", {}, 1),
        ("status.example/x", {"method": "POST"}, 0),
        ("status.example:8000/x", {}, 1),
        ("a.example/admin", {"role": "admin"}, 2),
        ("a.example/admin/x", {"role": "admin"}, 2),
        ("a.b.example/admin", {"role": "admin"}, 2),
        ("example/admin", {"role": "admin"}, 3),
        ("a.example/administrator", {"role": "admin"}, 0),
        ("a.example/admin", {}, 3),
        ("a.example/admin", {"role": None}, 3),
        ("a.example/%61dmin", {}, 3),
        ("a.example//admin", {}, 3),
        ("a.example/admin;x=1/y", {}, 3),
        ("a.example/admin?x", {}, 3),
        ("a.example/api/1/2/secret", {}, 3),
        ("a.example/api/secret", {}, 0),
        ("wiki.example:8443/", {"address": "10.1.2.3"}, 4),
        ("wiki.example:8443/", {"address": "2001:db8::1"}, 4),
        ("wiki.example:8443/", {"address": "11.1.2.3"}, 0),
        ("wiki.example:8443/", {"address": "unknown"}, 0),
        ("wiki.example/", {"address": "10.1.2.3"}, 0),
    ],
)
def test_first_rule_whose_conditions_are_all_met_counts(
    url: str, client: dict[str, str], expected: int
) -> None:
    """Without one, the default does."""
    assert number(rules(FILE), url, **client) == expected


def test_rule_says_what_it_asks_for() -> None:
    """The second rule asks for level 2, within five minutes."""
    _, rule, denied, _, default = rules(FILE).rules
    assert (rule.line, rule.level, rule.fresh) == (6, 2, 300)
    assert rule.access is default.access is Access.SIGNED_IN
    assert denied.access is Access.DENY


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("[[rule]]\naccess = 'open'\nhosts = 'a'", 3, "unknown key hosts"),
        ("x = 1\n[[rule]]\naccess = 'open'", 1, "unknown key x"),
        ("[[rule]]\nhost = 'a'", 1, "the rule needs access"),
        ("[[rule]]\naccess = 'opn'", 2, "access must be one of"),
        ("[[rule]]\naccess = 'open'\nlevel = 2", 3, "has no effect"),
        ("[[rule]]\nlevel = 3", 2, "from 1 to 2"),
        ("[[rule]]\nlevel = true", 2, "from 1 to 2"),
        ("[[rule]]\nfresh = 0", 2, "from 1 to"),
        ("[[rule]]\nfresh = '5'", 2, "from 1 to"),
        ("[[rule]]\nphishing-resistant = false", 2, "can only be true"),
        ("[[rule]]\nlevel = 2\nhost = 'https://a'", 3, "has the host https"),
        ("[[rule]]\nlevel = 2\nhost = 'a.example:443'", 3, "has the host"),
        ("[[rule]]\nlevel = 2\nhost = 'a_b'", 3, "has the host a_b"),
        ("[[rule]]\nlevel = 2\nhost = 'a.*'", 3, "has the host"),
        ("[[rule]]\nlevel = 2\nhost = ''", 3, "has the host"),
        ("[[rule]]\nlevel = 2\nhost = []", 3, "host must be a text"),
        ("[[rule]]\nlevel = 2\nhost = [1]", 3, "host must be a text"),
        ("[[rule]]\nlevel = 2\npath = 'a'", 3, "has the path a"),
        ("[[rule]]\nlevel = 2\npath = '/a?b'", 3, "has the path"),
        ("[[rule]]\nlevel = 2\npath = '/a/../b'", 3, "has the path"),
        ("[[rule]]\nlevel = 2\npath = '/%61'", 3, "has the path"),
        ("[[rule]]\nlevel = 2\npath = '//a'", 3, "has the path"),
        ("[[rule]]\nlevel = 2\nmethod = 'get'", 3, "has the method get"),
        ("[[rule]]\nlevel = 2\nnetwork = '10.0.0.1/8'", 3, "is no address"),
        ("[[rule]]\nlevel = 2\nnetwork = 'any'", 3, "is no address"),
        ("[[rule]]\nlevel = 2\nnetwork = 'unix'", 3, "is no address"),
        ("[[rule]]\nlevel = 2\nrole = 'boss'", 3, "role must be one of"),
        (
            "[[rule]]\nlevel = 2\npath = '/a'\n\n[[rule]]\nlevel = 2\n"
            "path = '/a/b'\nhost = 'a.example'",
            5,
            "the rule of line 1 matches all of them",
        ),
        (
            "[[rule]]\nlevel = 2\nhost = '*.example'\n[[rule]]\n"
            "access = 'open'\nhost = ['a.example', 'b.example:8443']",
            4,
            "matches all of them",
        ),
        (
            "[[rule]]\nlevel = 2\nnetwork = '10.0.0.0/8'\n[[rule]]\n"
            "access = 'open'\nnetwork = '10.1.0.0/16'\nmethod = 'GET'",
            4,
            "matches all of them",
        ),
        (
            "[[rule]]\nlevel = 2\npath = '/a*'\n[[rule]]\n"
            "access = 'open'\npath = '/ab*c'\nrole = 'admin'",
            4,
            "matches all of them",
        ),
    ],
)
def test_file_that_means_something_else_is_refused_with_its_line(
    text: str, line: int, why: str
) -> None:
    """The message names the line of the key, or of the rule."""
    with pytest.raises(ConfigurationError) as refused:
        rules(text)
    assert f"GATE_RULES: line {line}: " in str(refused.value)
    assert why in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rule = 1",
        "rule = [{level = 2}]",
        "[rule]\nlevel = 2",
        "[[rule]]\nlevel = 2\nhost = '''\n[[rule]]\n'''",
        "[[rule]\n",
        "[[rule]]\nlevel = 2\nlevel = 2",
        "\xff",
    ],
)
def test_file_of_another_form_is_refused(text: str) -> None:
    """It must be TOML, and each rule must begin with its header."""
    with pytest.raises(ConfigurationError, match="GATE_RULES"):
        parse_rules(text.encode("latin-1"))


def test_rules_that_only_overlap_are_no_fault() -> None:
    """Each of these is met by a request that the one before is not."""
    found = rules(
        """
        [[rule]]
        path = "/a/b"
        role = "admin"
        access = "open"
        [[rule]]
        path = "/a/b"
        level = 2
        [[rule]]
        path = "/a"
        level = 2
        [[rule]]
        path = "/ab"
        level = 2
        [[rule]]
        fresh = 1
        """
    )
    assert len(found.rules) == 6


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "*",
        "http://a/b",
        "/a/../b",
        "/a/%2e%2e/b",
        "/a/..;x/b",
        "/a/.",
        "/a\\b",
        "/a%5cb",
        "/a%00",
        "/a%0a",
        "/%ff",
        "/a#b",
        "/\xe9",
        "/" + "a" * 9_000,
    ],
)
def test_ambiguous_path_has_no_target(uri: str) -> None:
    """A proxy and an application could read it in two ways."""
    assert decoded_path(uri) is None
    assert target_of("a.example", uri, "GET") is None


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("A.example:443", ("a.example", "")),
        ("a.example.:8443", ("a.example", "8443")),
        ("[2001:DB8::1]", ("[2001:db8::1]", "")),
        ("[2001:db8::1]:8000", ("[2001:db8::1]", "8000")),
    ],
)
def test_host_is_compared_without_what_servers_ignore(
    host: str, expected: tuple[str, str]
) -> None:
    """Case, the default ports and the last dot do not count."""
    assert split_host(host) == expected


def test_matching_takes_linear_time() -> None:
    """A pattern of many stars ends at once on a long path."""
    pattern = PathPattern("/" + "a*" * 200 + "b")
    assert not pattern.matches("/" + "a" * 8_000)


def test_candidates_end_with_a_rule_that_each_client_meets() -> None:
    """So a look-up never lacks a rule."""
    found = rules(FILE)
    for path in ("/", "/admin", "/api/1/secret"):
        for host in ("status.example", "wiki.example", "b.example"):
            target = Target(host, "", path, "GET")
            assert not found.candidates(target)[-1].needs_client


def test_rules_of_the_documentation_mean_what_it_says() -> None:
    """The example of docs/forward-authentication.md is a valid file."""
    page = (ROOT / "docs/forward-authentication.md").read_text()
    (block,) = re.findall(r"^```toml\n(.*?)^```$", page, re.M | re.S)
    found = parse_rules(block.encode())
    for url, client, expected in (
        ("a.example/health", {}, 1),
        ("a.example/health", {"method": "POST"}, 0),
        ("shop.example.com/payments/7", {}, 2),
        ("shop.example.com/payments2", {}, 0),
        ("shop.example.com/api/7/refund", {}, 2),
        ("a.example/console", {"role": "admin", "address": "10.0.0.1"}, 3),
        ("a.example/console", {"role": "admin"}, 4),
        ("a.example/console", {"address": "10.0.0.1"}, 4),
    ):
        assert number(found, url, **client) == expected, url
