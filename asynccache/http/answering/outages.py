"""Telling of an origin that fails, while nobody sees it: old responses are served meanwhile.

Decides how often it is told: once, until the origin has answered again. What was asked is not told: it may be secret.
"""

import logging
from typing import Final

_log: Final = logging.getLogger("asynccache")


class Outages:
    """The failures of the origins of one cache.

    Args:
        name: what messages call the cache.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._is_out = False

    def tell(self, reason: str, error: Exception | None, *, is_own: bool) -> None:
        """Tell that an old response is served, or is still there, as a new one could not be had.

        Args:
            reason: what was wrong, in a word.
            error: what was raised.
            is_own: whether that comes from the application's own code, which wants to know where.
        """
        level = logging.DEBUG if self._is_out else logging.WARNING
        self._is_out = True
        where = error if is_own or level == logging.DEBUG else None
        _log.log(level, "%s: old responses are served, as new ones fail: %s", self._name, reason, exc_info=where)

    def over(self) -> None:
        """Note that the origin has answered."""
        self._is_out = False
