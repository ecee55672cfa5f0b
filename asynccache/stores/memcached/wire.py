"""What is sent to Memcached for a key, a value and a time to live.

Pure. Decides which keys go as they are, and how the others are kept apart although only a hash of them is sent; how
a value is written so that every client reads all of it; and how seconds become Memcached's own times.
"""

import hashlib
import math
import re
from typing import Final

_PLAIN_KEY: Final = re.compile(rb"[\x21-\x7e]{1,250}")
"""What the protocol takes: no spaces, no control characters, 250 bytes at most."""

_HASHED: Final = b"#"
"""How the name of a hashed key begins. A key that begins so by itself is hashed as well, so the two never meet."""

_WITH_KEY: Final = 1
"""Flag of an item: its value begins with the full key, as only a hash of it is the item's name."""

_ESCAPED: Final = 2
"""Flag of an item: its value is written so that it holds no end of a reply."""

_END_OF_REPLY: Final = b"END\r\n"

_LONGEST_RELATIVE: Final = 30 * 24 * 60 * 60
"""Seconds; a larger number is taken for a date."""

_LAST_DATE: Final = 2**31 - 1


def wire_key(key: bytes) -> bytes:
    """Give the name that an item has on its node."""
    if _PLAIN_KEY.fullmatch(key) and not key.startswith(_HASHED):
        return key
    return _HASHED + hashlib.blake2b(key, digest_size=32).hexdigest().encode()


def wrap(key: bytes, value: bytes) -> tuple[bytes, int]:
    """Give what is kept for a value, and the flags that tell how to read it."""
    flags = 0
    if wire_key(key) is not key:
        value, flags = len(key).to_bytes(4, "big") + key + value, _WITH_KEY
    if _END_OF_REPLY in value or value.endswith(b"END"):
        # emcache takes these bytes for the end of a reply wherever a packet happens to end with them: the reply would
        # be cut, and its rest be read as the next one. Here no \r is ever followed by a \n, nor does the value end
        # with END, which the line end after it would complete.
        value, flags = value.replace(b"\r", b"\r\0") + b"\0", flags | _ESCAPED
    return value, flags


def unwrap(key: bytes, kept: bytes, flags: int) -> bytes | None:
    """Give the value that is kept, or None where it is another key's, or nothing that `wrap` gives."""
    if flags & _ESCAPED:
        kept = kept[:-1].replace(b"\r\0", b"\r")
    if bool(flags & _WITH_KEY) == (wire_key(key) is key):
        return None
    if not flags & _WITH_KEY:
        return kept
    end = 4 + len(key)
    return kept[end:] if kept[:end] == len(key).to_bytes(4, "big") + key else None


def expiry(ttl: float | None, now: float) -> int:
    """Give the time to live as Memcached takes it: never too early, at most two seconds late.

    Its clock has a tick a second, and counts from the last one: a second is added, or an item of one second might be
    gone at once, and a lease be held twice.

    Args:
        ttl: seconds; None for ever; 0 or less for an item that is gone at once.
        now: the wall clock, seconds since the epoch: more than 30 days are written as a date.
    """
    if ttl is None:
        return 0
    if ttl <= 0:
        return -1
    if ttl < _LONGEST_RELATIVE:
        return math.ceil(ttl) + 1 if math.ceil(ttl) < _LONGEST_RELATIVE else math.ceil(now + ttl) + 1
    date = now + ttl
    return math.ceil(date) + 1 if date < _LAST_DATE - 1 else 0
