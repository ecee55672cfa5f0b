"""RFC 9111, section 4.4: what a change makes invalid; and which URIs name one resource."""

import pytest

from asynccache.http.rfc9111 import cache_uri, invalidated_uris
from tests.http.rfc_messages import URI, request, response


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH", "get"])
@pytest.mark.parametrize("status", [200, 201, 204, 303, 304])
def test_a_change_makes_its_target_invalid(method: str, status: int) -> None:
    """Also by a method that nobody knows."""
    assert invalidated_uris(request(method=method), response(status=status)) == (URI,)


@pytest.mark.parametrize("status", [100, 400, 404, 409, 500, 503])
def test_a_change_that_failed_makes_nothing_invalid(status: int) -> None:
    """There was none."""
    assert invalidated_uris(request(method="POST"), response("Location: /b", status=status)) == ()


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE"])
def test_a_safe_method_makes_nothing_invalid(method: str) -> None:
    """It changes nothing, whatever the response names."""
    assert invalidated_uris(request(method=method), response("Location: /b")) == ()


@pytest.mark.parametrize("name", ["Location", "Content-Location"])
@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("b", "https://example.org/b"),
        ("/b?c=d#e", "https://example.org/b?c=d"),
        ("https://EXAMPLE.org:443/b", "https://example.org/b"),
        ("//example.org/b", "https://example.org/b"),
        ("?c", "https://example.org/a?c"),
        ("", None),
        ("http://example.org/b", None),
        ("https://example.org:444/b", None),
        ("https://example.com/b", None),
        ("https://example.org.evil.example/b", None),
        ("https://example.org@evil.example/b", None),
        ("https://[/b", None),
        ("mailto:a@example.org", None),
    ],
)
def test_a_change_makes_invalid_what_it_names_in_its_origin(name: str, place: str, expected: str | None) -> None:
    """What lies in another origin is not for this one to throw away."""
    found = invalidated_uris(request(method="POST"), response(f"{name}: {place}"))
    assert found == (URI, *([expected] if expected else []))


def test_each_uri_is_told_once() -> None:
    """However often it is named."""
    lines = ("Location: /b", "Content-Location: /b#c")
    assert invalidated_uris(request(method="PUT"), response(*lines)) == (URI, "https://example.org/b")


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("HTTP://Example.ORG:80", "http://example.org/"),
        ("https://example.org:443/A", "https://example.org/A"),
        ("https://example.org:80/", "https://example.org:80/"),
        ("http://example.org:/", "http://example.org/"),
        ("http://example.org:8080/a", "http://example.org:8080/a"),
        ("http://user:secret@example.org/a#b", "http://example.org/a"),
        ("http://example.org?q=1", "http://example.org/?q=1"),
        ("http://example.org/?", "http://example.org/?"),
        ("http://example.org/a%2fb/%7Ec/../d?x=%2F#y#z", "http://example.org/a%2Fb/~c/../d?x=%2F"),
        ("http://example.org/%61%2D%2e%5F%30%25%zz%4?%7a=%3d", "http://example.org/a-._0%25%zz%4?z=%3D"),
        ("http://example.org/%2561", "http://example.org/%2561"),
        ("http://[::1]:80/", "http://[::1]/"),
        ("http://[::80]/", "http://[::80]/"),
        ("http://example.org/@x:80", "http://example.org/@x:80"),
        ("/a#b", "/a"),
    ],
)
def test_one_resource_has_one_uri(uri: str, expected: str) -> None:
    """Only what every server treats alike is made alike; of paths and queries, escapes that mean nothing."""
    assert cache_uri(uri) == expected
    assert cache_uri(expected) == expected
