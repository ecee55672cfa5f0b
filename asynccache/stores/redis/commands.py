"""The commands that are sent, as bytes, and what their replies mean.

Decides how each change is said in Redis's own language. Everything that depends on what is there is one command or one
script, so that the server does it in one step.
"""

import hashlib
import math
import re
from collections.abc import Iterable, Sequence
from typing import Final

from asynccache.stores.batching import Change, Op
from asynccache.stores.contract import Item

PING: Final = b"*1\r\n$4\r\nPING\r\n"
ASKING: Final = b"*1\r\n$6\r\nASKING\r\n"

_LONGEST_TTL: Final = 100 * 365 * 86_400.0
"""Seconds. Redis refuses what does not fit into 64 bits of milliseconds since 1970."""

_BEGINS: Final = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
if #ARGV[1] > 0 and redis.call('GETRANGE', KEYS[1], 0, #ARGV[1] - 1) ~= ARGV[1] then return 0 end
"""
_KEEP: Final = """
if ARGV[3] then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) else redis.call('SET', KEYS[1], ARGV[2]) end
return 1
"""
_SCRIPTS: Final = {
    Change.COMPARE_AND_SET: (_BEGINS + _KEEP).encode(),
    Change.COMPARE_AND_DELETE: (_BEGINS + "return redis.call('UNLINK', KEYS[1])").encode(),
    Change.INCREMENT: b"""
local sum = redis.call('INCR', KEYS[1])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return sum
""",
}
_DIGESTS: Final = {
    change: hashlib.sha1(script, usedforsecurity=False).hexdigest().encode() for change, script in _SCRIPTS.items()
}


_SPECIAL: Final = re.compile(rb"[*?\[\]^\\-]")
"""What means something else in a pattern."""


def pack(*words: bytes) -> bytes:
    """Give one command as it is sent."""
    return b"*%d\r\n%b" % (len(words), b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in words]))


def read_all(keys: Sequence[bytes]) -> bytes:
    """Read keys of one server by one command."""
    return pack(b"MGET", *keys)


def read_each(keys: Iterable[bytes]) -> bytes:
    """Read keys by a command for each: in a cluster, one command is for one slot."""
    return b"".join([b"*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n" % (len(key), key) for key in keys])


def scan(cursor: bytes, prefix: bytes) -> bytes:
    """Ask for a page of the keys that begin with `prefix`."""
    return pack(b"SCAN", cursor, b"MATCH", _SPECIAL.sub(rb"\\\g<0>", prefix) + b"*", b"COUNT", b"1000")


def write_all(ops: Iterable[Op]) -> list[bytes]:
    """Give the commands that make these changes. Of scripts, the first of its kind brings the text for those after."""
    known: set[Change] = set()
    return [_write(op, known) for op in ops]


def outcome(op: Op, reply: object) -> object:
    """Tell what a change has come to, from the reply to it."""
    if op.change is Change.INCREMENT:
        return reply
    return reply is not None and reply != 0


def _write(op: Op, known: set[Change]) -> bytes:
    ttl = milliseconds(op.item)
    expiry = () if ttl is None else (b"PX", ttl)
    match op.change:
        case Change.SET:
            return pack(b"SET", op.key, op.item.value, *expiry)
        case Change.ADD:
            return pack(b"SET", op.key, op.item.value, b"NX", *expiry)
        case Change.DELETE:
            return pack(b"UNLINK", op.key)
        case Change.COMPARE_AND_SET:
            return _script(op, known, op.expected, op.item.value, *expiry[1:])
        case Change.COMPARE_AND_DELETE:
            return _script(op, known, op.expected)
        case Change.INCREMENT:
            return pack(b"INCR", op.key) if ttl is None else _script(op, known, ttl)


def _script(op: Op, known: set[Change], *arguments: bytes) -> bytes:
    if op.change in known:
        return pack(b"EVALSHA", _DIGESTS[op.change], b"1", op.key, *arguments)
    known.add(op.change)
    return pack(b"EVAL", _SCRIPTS[op.change], b"1", op.key, *arguments)


def milliseconds(item: Item) -> bytes | None:
    """Give an item's ttl in the server's unit, rounded up; None for ever."""
    if item.ttl is None or item.ttl == math.inf:
        return None
    return b"%d" % max(1, math.ceil(min(item.ttl, _LONGEST_TTL) * 1000))
