#!/usr/bin/env python3
"""Trusted proxies and the address of the client."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestibule.core import settings
from vestibule.core.errors import ConfigurationError
from vestibule.core.request_headers import (
    UNKNOWN_ADDRESS,
    Networks,
    address_of_client,
    client_address,
    is_secure,
    network_of,
)

PROXIES: Networks = (
    ip_network("127.0.0.1"),
    ip_network("10.0.0.0/8"),
    ip_network("2001:db8:aaaa::/48"),
)
ADDRESSES = st.ip_addresses().map(str)
#: What an attacker may send: almost addresses, and any text.
FORGED = st.lists(
    st.one_of(
        ADDRESSES,
        st.sampled_from(["127.0.0.1", "10.1.1.1", "2001:db8:aaaa::1", ""]),
        st.text(max_size=60),
    ),
    max_size=20,
).map(",".join)


@pytest.mark.parametrize(
    ("forwarded", "found"),
    [
        (None, "127.0.0.1"),
        ("", "127.0.0.1"),
        (" , ", "127.0.0.1"),
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7, 10.1.1.1", "192.0.2.7"),
        ("192.0.2.7,10.1.1.1,2001:db8:aaaa::1", "192.0.2.7"),
        ("10.2.2.2, 10.1.1.1", "10.2.2.2"),
        ("198.51.100.1, 192.0.2.7", "192.0.2.7"),
        ("198.51.100.1, nonsense, 10.1.1.1", "10.1.1.1"),
        ("192.0.2.7, unknown", "127.0.0.1"),
        ("192.0.2.7:4711", "192.0.2.7"),
        ("192.0.2.7:", "127.0.0.1"),
        ("192.0.2.7:\uff14", "127.0.0.1"),
        ("192.0.2.07", "127.0.0.1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1", "127.0.0.1"),
        ("[2001:db8::1]443", "127.0.0.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("192.0.2.7, ::ffff:10.1.1.1", "192.0.2.7"),
        ("%", "127.0.0.1"),
        ("192.0.2.7, " + "1" * 10_240, "127.0.0.1"),
        ("1" * 10_240 + ", 192.0.2.7", "192.0.2.7"),
        ("10.1.1.1," * 1_200, "127.0.0.1"),
        ("10.1.1.1," * 1_200 + "10.1.1.2", "10.1.1.1"),
        ("198.51.100.1," * 800 + "192.0.2.7", "192.0.2.7"),
    ],
)
def test_client_is_the_address_before_the_last_trusted_hop(
    forwarded: str | None, found: str
) -> None:
    """The header is read from the right for as long as it is trusted."""
    assert client_address("127.0.0.1", forwarded, PROXIES) == found


@given(forged=FORGED, client=ADDRESSES)
def test_forged_prefix_does_not_change_the_address(
    forged: str, client: str
) -> None:
    """What a client sends itself stands left of what its proxy saw."""
    if any(ip_address(client) in network for network in PROXIES):
        return
    honest = client_address("10.0.0.1", client, PROXIES)
    assert honest == client_address("10.0.0.1", f"{forged}, {client}", PROXIES)
    behind = f"{forged},{client},10.9.9.9"
    assert honest == client_address("10.0.0.1", behind, PROXIES)


@given(peer=st.text(max_size=60), forwarded=st.text(max_size=200))
def test_no_header_raises_an_error(peer: str, forwarded: str) -> None:
    """For any value there is an address and a network of it."""
    for address in (
        client_address(peer, forwarded, PROXIES),
        client_address("10.0.0.1", forwarded, PROXIES),
    ):
        assert network_of(address)
    assert is_secure(peer, "https", PROXIES) in (True, False)


@given(peer=ADDRESSES, forwarded=FORGED)
def test_header_of_an_untrusted_peer_is_ignored(
    peer: str, forwarded: str
) -> None:
    """Without trusted proxies the header makes no difference."""
    alone = client_address(peer, None, ())
    assert client_address(peer, forwarded, ()) == alone
    assert not is_secure(peer, "https", ())


@pytest.mark.parametrize("peer", [None, "", "unix:", "127.0.0.1.5"])
def test_peer_without_an_address_is_unknown(peer: str | None) -> None:
    """A Unix socket has no address, so nothing of it can be trusted."""
    found = client_address(peer, "192.0.2.7", PROXIES)
    assert found == UNKNOWN_ADDRESS
    assert network_of(found) == UNKNOWN_ADDRESS
    assert not is_secure(peer, "https", PROXIES)


@pytest.mark.parametrize(
    ("forwarded", "secure"),
    [
        ("https", True),
        ("HTTPS ", True),
        ("http, https", True),
        ("https, http", False),
        ("http", False),
        ("", False),
        ("httpss", False),
    ],
)
def test_trusted_proxy_sets_the_scheme(forwarded: str, secure: bool) -> None:
    """The nearest proxy counts, where there are several."""
    assert is_secure("::ffff:10.0.0.1", forwarded, PROXIES) is secure
    assert not is_secure("192.0.2.7", forwarded, PROXIES)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7/32"),
        ("::ffff:192.0.2.7", "192.0.2.7/32"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("64:ff9b::192.0.2.7", "64:ff9b::c000:207/128"),
    ],
)
def test_network_is_the_ipv4_address_or_ipv6_64(
    address: str, network: str
) -> None:
    """An IPv4 address stands for itself, an IPv6 one for its /64."""
    assert network_of(address) == network


def test_trusted_proxies_lists_addresses_and_networks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The default is empty; a list may have blanks in it."""
    assert settings.TRUSTED_PROXIES.read() == ()
    monkeypatch.setenv(
        "TRUSTED_PROXIES", " 127.0.0.1, 10.0.0.0/8,2001:db8:aaaa::/48 "
    )
    assert settings.TRUSTED_PROXIES.read() == PROXIES
    assert settings.TRUSTED_PROXIES.read() is settings.TRUSTED_PROXIES.read()


@pytest.mark.parametrize("text", ["proxy", "10.0.0.1/8", "1.2.3", "::1%lo/8"])
def test_invalid_trusted_proxy_is_refused(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """A typing error stops the start instead of trusting another network."""
    monkeypatch.setenv("TRUSTED_PROXIES", text)
    with pytest.raises(ConfigurationError, match="TRUSTED_PROXIES"):
        settings.TRUSTED_PROXIES.read()


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("::ffff:127.0.0.1", "127.0.0.1/32"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("::fffe:0:0/95", "::fffe:0:0/95"),
    ],
)
def test_network_of_mapped_addresses_is_one_of_ipv4(
    text: str, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address of a client is converted too before it is compared."""
    for setting in (settings.TRUSTED_PROXIES, settings.METRICS_NETWORKS):
        monkeypatch.setenv(setting.name, text)
        assert setting.read() == (ip_network(network),)


def test_proxy_listed_by_its_mapped_address_is_trusted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Some systems show the addresses of IPv4 peers in this form alone."""
    monkeypatch.setenv("TRUSTED_PROXIES", "::ffff:127.0.0.1")
    for peer in ("127.0.0.1", "::ffff:127.0.0.1"):
        environ = {"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": "192.0.2.7"}
        assert address_of_client(environ) == "192.0.2.7"
