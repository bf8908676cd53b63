"""A file is fetched from where the operator allows, and from nowhere else."""

from __future__ import annotations

import ssl
from ipaddress import ip_address

import pytest
import trustme

from api_schemas.errors import InvalidRequest
from tests.worker.hosts import TABLE, serving
from worker.fetcher import MOST_REDIRECTS, Internet, download
from worker.messages import Fetching
from worker.network import PublicNetwork, is_public, resolve

NAME = "data.example.org"
HERE = ip_address("127.0.0.1")


@pytest.fixture(scope="module")
def authority():
    """Who vouches for names."""
    return trustme.CA()


@pytest.fixture(scope="module")
def server(authority):
    """An HTTPS server that is data.example.org."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(NAME).configure_cert(context)
    with serving(context) as server:
        yield server


@pytest.fixture
def site(server):
    """The host and port that are allowed."""
    server.asked.clear()
    return f"{NAME}:{server.server_port}"


@pytest.fixture
def get(authority, site, tmp_path):
    """Fetch in an internet of this machine alone, which goes by every name of `example.org`."""
    believed = ssl.create_default_context()
    authority.configure_trust(believed)

    def look_up(host, port):
        return [HERE] if host.endswith("example.org") else resolve(host, port)

    def get(url, *allowed, most_bytes=1 << 20, lookup=look_up, permitted=lambda address: address == HERE):
        fetching = Fetching(url, list(allowed or [site]), most_bytes, tmp_path / "fetched")
        counts = []
        size = download(fetching, Internet(PublicNetwork(lookup, permitted), believed), counts.append)
        assert size == fetching.path.stat().st_size
        return fetching.path.read_bytes(), counts

    return get


def refusal(call, *args, **kwargs):
    with pytest.raises(InvalidRequest) as caught:
        call(*args, **kwargs)
    assert [fault.pointer for fault in caught.value.faults] == ["/source/url"]
    return caught.value.faults[0].code


def test_a_file_arrives_as_it_is_and_its_server_is_asked_by_name(get, site, server):
    assert get(f"https://{site}/a%20b/t\u00e4ble.csv?x=1#part")[0] == TABLE
    assert server.asked == [(site, "/a%20b/t%C3%A4ble.csv?x=1")]


def test_redirects_are_followed_as_far_as_they_are_allowed(get, site):
    assert get(f"https://{site}/to//data.csv")[0] == TABLE
    assert get(f"https://{site}{'/to/' * MOST_REDIRECTS}/data.csv")[0] == TABLE
    assert refusal(get, f"https://{site}{'/to/' * (MOST_REDIRECTS + 1)}/data.csv") == "too_many_redirects"


@pytest.mark.parametrize(
    "place",
    ["https://elsewhere.example.org/x", "http://data.example.org/x", "file:///etc/passwd", "https://169.254.169.254/"],
)
def test_a_redirect_leads_to_no_host_that_is_not_allowed(get, site, server, place):
    assert refusal(get, f"https://{site}/to/{place}") in ("host_not_allowed", "bad_url")
    assert len(server.asked) == 1


def test_a_redirect_leads_to_no_address_that_is_not_public(get, site):
    metadata = "https://169.254.169.254/latest"
    assert refusal(get, f"https://{site}/to/{metadata}", site, "*") == "not_public"
    assert refusal(get, f"https://{site}/to/{metadata}", site, "169.254.169.254") == "not_public"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "2130706433", "0177.0.0.1", "0x7f.1", "localhost", "[::1]", "[::ffff:7f00:1]"]
)
def test_this_machine_is_not_fetched_from_under_any_of_its_names(get, server, host):
    url = f"https://{host}:{server.server_port}/data.csv"
    assert refusal(get, url, f"*:{server.server_port}", permitted=is_public) == "not_public"
    assert server.asked == []


def test_a_name_with_one_private_address_is_not_fetched_from(get, site, server):
    mixed = [ip_address("93.184.215.14"), ip_address("10.0.0.7")]
    assert refusal(get, f"https://{site}/x", lookup=lambda *_: mixed, permitted=is_public) == "not_public"


def test_a_name_that_changes_its_meaning_is_connected_to_where_it_was_looked_up(get, site):
    answers = iter([[HERE], [ip_address("10.0.0.7")]])
    assert get(f"https://{site}/data.csv", lookup=lambda *_: next(answers))[0] == TABLE
    assert len(list(answers)) == 1


def test_tls_verifies_the_name_and_not_the_address(get, server):
    other = f"other.example.org:{server.server_port}"
    assert refusal(get, f"https://{other}/data.csv", other) == "unreachable"
    assert server.asked == []


def test_http_is_spoken_only_where_that_is_allowed(get):
    with serving() as plain:
        host = f"{NAME}:{plain.server_port}"
        assert refusal(get, f"http://{host}/data.csv", host) == "host_not_allowed"
        assert get(f"http://{host}/data.csv", f"http://{host}")[0] == TABLE


def test_a_file_that_is_too_large_is_given_up(get, site):
    assert get(f"https://{site}/data.csv", most_bytes=len(TABLE))[0] == TABLE
    assert refusal(get, f"https://{site}/data.csv", most_bytes=len(TABLE) - 1) == "too_large"
    assert refusal(get, f"https://{site}/endless/data.csv", most_bytes=3 << 20) == "too_large"


def test_what_a_server_says_instead_of_a_file_is_no_file(get, site):
    assert refusal(get, f"https://{site}/status/404") == "not_found"
    assert refusal(get, f"https://{site}/status/500") == "not_found"
    assert refusal(get, f"https://{site}/empty.csv") == "empty_file"


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.168.0.1"),
        *("192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::ffff:10.0.0.1", "fc00::1", "fe80::1", "fec0::1", "ff02::1", "ff0e::1", "64:ff9b::7f00:1"),
        *("2002:7f00:1::", "2001:db8::1", "fd00:ec2::254"),
    ],
)
def test_an_address_of_no_single_public_machine_is_refused(address):
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "2a00:1450:4001::1"])
def test_an_address_of_the_internet_is_public(address):
    assert is_public(ip_address(address))
