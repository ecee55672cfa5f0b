"""What the `url` of a rule covers, and what is refused there."""

import pytest

from asynccache.http import Rule
from asynccache.http.syntax.uris import cache_uri


@pytest.mark.parametrize(
    ("rule", "url"),
    [
        ("https://shop.example/items/*", "https://shop.example/items/1/parts"),
        ("https://shop.example/items", "https://shop.example/items"),
        ("https://shop.example/", "https://shop.example"),
        ("shop.example/*", "http://shop.example/a"),
        ("shop.example/*", "https://shop.example/a"),
        ("*", "https://shop.example/a"),
        ("*://shop.example/*", "https://shop.example/a"),
        ("http*://shop.example/*", "http://shop.example/a"),
        ("https://*.shop.example/*", "https://a.b.shop.example/a"),
        ("*.shop.example/img*", "https://a.shop.example/img7/1"),
        ("*/img/*", "https://shop.example/img/1"),
        ("*/img/*", "https://shop.example/de/img/1"),
        ("https://*/img/*", "https://shop.example/de/img/1"),
        ("*/*.css", "https://shop.example/style/all.css"),
        ("HTTPS://Shop.Example/A*", "https://shop.example/Ab"),
        ("https://shop.example:443/*", "https://shop.example/a"),
        ("https://shop.example/*", "https://shop.example:443/a"),
        ("http://shop.example:80/*", "http://shop.example/a"),
        ("shop.example:443/*", "https://shop.example/a"),
        ("shop.example:443/*", "http://shop.example:443/a"),
        ("localhost:8080/*", "http://localhost:8080/a"),
        ("http://localhost:*/*", "http://localhost:8080/a"),
        ("http://[::1]:8080/*", "http://[::1]:8080/a"),
        ("https://bücher.example/straße*", "https://xn--bcher-kva.example/stra%C3%9Fe/1"),
        ("https://shop.example/a b", "https://shop.example/a%20b"),
        ("https://shop.example/%61%c3%a9", "https://shop.example/a%C3%A9"),
        ("https://shop.example/aé", "https://shop.example/%61%c3%a9"),
        ("https://shop.example/a.b+c/*", "https://shop.example/a.b+c/d"),
    ],
)
def test_a_rule_covers(rule: str, url: str) -> None:
    """Scheme and host in any case, with or without the default port, as people write them; `*` for any characters."""
    assert Rule(rule).covers(cache_uri(url))


@pytest.mark.parametrize(
    ("rule", "url"),
    [
        ("https://shop.example/*", "http://shop.example/a"),
        ("https://shop.example/items", "https://shop.example/items/1"),
        ("https://shop.example/*", "https://shop.example:8443/a"),
        ("shop.example:443/*", "http://shop.example/a"),
        ("shop.example/*", "https://evil.example/http://shop.example/a"),
        ("*.shop.example/*", "https://evil.example/.shop.example/a"),
        ("*.shop.example/*", "https://evil.example/a.shop.example/"),
        ("https://*.shop.example/*", "https://evil.example/a.shop.example/b"),
        ("*://shop.example/*", "https://evil.example/://shop.example/a"),
        ("https://shop.example/A", "https://shop.example/a"),
        ("https://shop.example/a.b", "https://shop.example/axb"),
        ("*/img/*", "https://shop.example/imgs/1"),
    ],
)
def test_a_rule_does_not_cover(rule: str, url: str) -> None:
    """Paths have their case, a port that is none of the scheme's is another host, and no path passes for a host."""
    assert not Rule(rule).covers(cache_uri(url))


@pytest.mark.parametrize(
    ("rule", "error", "said"),
    [
        (5, TypeError, 'a string, as in "https://example.com/\\*", not 5'),
        ("", ValueError, "begins with a host"),
        ("/items/*", ValueError, r'begins with a host.* or with \*, as in "\*/img/\*"'),
        ("https:///items", ValueError, "begins with a host"),
        ("https://shop.example/a?b=1", ValueError, "leave out what comes after [?] or #"),
        ("https://shop.example/#a", ValueError, "leave out what comes after [?] or #"),
        ("https://shop.example", ValueError, r'write "https://shop.example/\*" for all of a host'),
        ("shop.example", ValueError, r'write "shop.example/\*" for all of a host'),
        ("*.css", ValueError, r'or "\*/\*.css" for all paths that end so'),
        ("https://ada:secret@shop.example/*", ValueError, "no login: leave out what comes before @"),
    ],
)
def test_a_url_that_covers_nothing_is_refused(rule: str, error: type[Exception], said: str) -> None:
    """What no request could ever fall under is told where it is written, with what to write instead."""
    with pytest.raises(error, match=said) as raised:
        Rule(rule)
    assert "secret" not in str(raised.value)
