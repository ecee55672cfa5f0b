"""What the cache did is told in the syntax of RFC 9211."""

import pytest

from asynccache.http.syntax.status import CacheStatus


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (CacheStatus(), "asynccache"),
        (CacheStatus(hit=True, ttl=376), "asynccache; hit; ttl=376"),
        (CacheStatus(hit=True, ttl=-412), "asynccache; hit; ttl=-412"),
        (CacheStatus(fwd="uri-miss", fwd_status=200, stored=True), "asynccache; fwd=uri-miss; fwd-status=200; stored"),
        (CacheStatus(fwd="stale", fwd_status=304, collapsed=True), "asynccache; fwd=stale; fwd-status=304; collapsed"),
        (CacheStatus(hit=True, fwd="miss"), "asynccache; hit"),
        (CacheStatus(cache="my cache"), '"my cache"'),
        (CacheStatus(hit=True, key='a"\\\n\xe9'), r'asynccache; hit; key="a\"\\??"'),
        (CacheStatus(hit=True, detail="memory"), "asynccache; hit; detail=memory"),
        (
            CacheStatus(hit=True, detail="served old, while it is validated"),
            'asynccache; hit; detail="served old, while it is validated"',
        ),
    ],
)
def test_a_status_is_a_structured_field(status: CacheStatus, expected: str) -> None:
    """Parameters come in the order of the RFC, strings are escaped, and a hit was not forwarded."""
    assert str(status) == expected
