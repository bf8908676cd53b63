"""Which URLs a worker may be sent to."""

from __future__ import annotations

import pytest

from api_schemas.errors import InvalidRequest
from api_schemas.sources import DatasetByUrl, locate
from storage.settings import Settings


def refusal(url, *allowed):
    with pytest.raises(InvalidRequest) as caught:
        locate(url, allowed)
    return caught.value.faults[0]


@pytest.mark.parametrize(
    ("pattern", "url"),
    [
        ("example.org", "https://example.org/a.csv"),
        ("example.org", "https://EXAMPLE.org./a.csv"),
        ("example.org", "https://example.org:443/a.csv"),
        ("*.example.org", "https://a.b.example.org/a.csv"),
        ("b\u00fccher.example", "https://b\u00fccher.example/a.csv"),
        ("xn--bcher-kva.example", "https://b\u00fccher.example/a.csv"),
        ("example.org:8443", "https://example.org:8443/a.csv"),
        ("http://example.org", "http://example.org/a.csv"),
        ("*", "https://anything.example/a.csv"),
    ],
)
def test_what_the_operator_names_is_allowed(pattern, url):
    assert locate(url, [pattern]).target == "/a.csv"


@pytest.mark.parametrize(
    ("pattern", "url"),
    [
        ("example.org", "https://evil-example.org/a.csv"),
        ("example.org", "https://example.org.evil.net/a.csv"),
        ("*.example.org", "https://example.org/a.csv"),
        ("*.example.org", "https://evilexample.org/a.csv"),
        ("example.org", "http://example.org/a.csv"),
        ("http://example.org", "https://example.org/a.csv"),
        ("example.org", "https://example.org:22/a.csv"),
        ("*", "http://example.org/a.csv"),
    ],
)
def test_what_the_operator_does_not_name_is_refused_with_what_is_allowed(pattern, url):
    fault = refusal(url, pattern)
    assert fault.code == "host_not_allowed"
    assert pattern in fault.message


@pytest.mark.parametrize(
    "url",
    [
        "data.csv",
        "ftp://example.org/a.csv",
        "https:///a.csv",
        "https://example.org:99999/",
        "https://example.org\\@b/",
        f"https://{'a' * 64}.example/",
        "https://a..example/",
        "https://\u2024/",
    ],
)
def test_what_is_no_url_of_a_file_is_refused(url):
    assert refusal(url, "*").code == "bad_url"


@pytest.mark.parametrize(
    "host",
    [
        "a..example",
        "\u00e4" * 64,
        "example.org/data",
        "ftp://example.org",
        "example.org:https",
        "a.*.org",
        "[2001:db8::1]",
    ],
)
def test_an_operator_who_names_no_host_is_told_so_at_the_start(host):
    with pytest.raises(ValueError, match="no host") as caught:
        Settings(fetch_hosts=f"data.example.org, {host}")
    assert repr(host) in str(caught.value)


def test_a_password_is_refused_for_the_url_is_shown_again():
    assert refusal("https://me:secret@example.org/a.csv", "*").code == "credentials_in_url"


def test_without_the_setting_nothing_is_fetched_and_the_answer_names_it():
    fault = refusal("https://example.org/a.csv")
    assert (fault.pointer, fault.code) == ("/source/url", "fetching_is_off")
    assert "ANNEAL_FETCH_HOSTS" in fault.message


def test_a_file_has_the_name_at_the_end_of_its_url_unless_another_is_given():
    def named(**source):
        return DatasetByUrl.model_validate({"source": source}).filename

    assert named(url="https://example.org/a/my%20data.csv.gz?sig=x%2Fy") == "my data.csv.gz"
    assert named(url="https://example.org/a%00b.csv") == "ab.csv"
    assert named(url="https://example.org/get?id=7", filename="data.csv") == "data.csv"
