"""The fault proxy does to bytes what it is told, and nothing else."""

import contextlib
import socket
from collections.abc import Iterator

import pytest

from tests.servers.process import HOST, attempts
from tests.servers.proxy import FaultProxy
from tests.servers.redis import RedisServer

PING = b"PING\r\n"
PONG = b"+PONG\r\n"


@pytest.fixture
def proxy(redis_server: RedisServer) -> Iterator[FaultProxy]:
    """A proxy before a Redis."""
    with FaultProxy(redis_server.port) as proxy:
        yield proxy


@pytest.fixture
def link(proxy: FaultProxy) -> Iterator[socket.socket]:
    """A connection through the proxy."""
    with socket.create_connection((HOST, proxy.port), timeout=10) as link:
        yield link


def exchange(link: socket.socket, sent: bytes, length: int) -> bytes:
    """Send, and give as many bytes of the reply."""
    link.sendall(sent)
    return received(link, length)


def received(link: socket.socket, length: int) -> bytes:
    """Give as many bytes as asked for, or fewer if the connection ends."""
    data = b""
    while len(data) < length and (more := link.recv(length - len(data))):
        data += more
    return data


def is_silent(link: socket.socket) -> bool:
    """Whether nothing comes for a while. A reply takes less than a millisecond here."""
    link.settimeout(0.1)
    try:
        link.recv(1)
    except TimeoutError:
        return True
    else:
        return False
    finally:
        link.settimeout(10)


def assert_cut(link: socket.socket) -> None:
    """Check that the connection was reset or has ended."""
    with contextlib.suppress(ConnectionError):
        assert link.recv(1) == b""


def test_a_good_network_passes_all_bytes_on(proxy: FaultProxy, link: socket.socket) -> None:
    """Without faults, replies come as from the server, and connections are counted."""
    value = bytes(range(256)) * 1_000
    sent = b"*2\r\n$4\r\nECHO\r\n$%d\r\n%b\r\n" % (len(value), value)

    assert exchange(link, sent, len(value) + 11) == b"$256000\r\n" + value + b"\r\n"
    assert (proxy.connections, proxy.accepted) == (1, 1)


def test_delays_and_pieces_lose_nothing(proxy: FaultProxy, link: socket.socket) -> None:
    """Late bytes in small pieces are the same bytes in the same order."""
    proxy.latency(0, 0.002, seed=1)
    proxy.chop(3, seed=1)

    assert exchange(link, PING * 20, len(PONG) * 20) == PONG * 20


def test_stalled_bytes_come_after_healing(proxy: FaultProxy, link: socket.socket) -> None:
    """A stall holds bytes back while the connection stays, and nothing is missing afterwards."""
    proxy.stall("down")
    link.sendall(PING)
    assert is_silent(link)
    assert proxy.connections == 1

    proxy.heal()

    assert received(link, len(PONG)) == PONG


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_connection_that_has_lost_bytes_carries_no_more(proxy: FaultProxy, link: socket.socket, way: str) -> None:
    """What is dropped never comes, and healing cuts the connection: no reply is taken for another."""
    proxy.drop("up" if way == "up" else "down")
    link.sendall(PING)
    assert is_silent(link)
    assert proxy.connections == 1

    proxy.heal()

    assert_cut(link)
    assert proxy.connections == 0


def test_a_reply_is_lost_after_the_server_has_obeyed(
    proxy: FaultProxy, link: socket.socket, redis_server: RedisServer
) -> None:
    """A lost reply cuts its connection; what was asked for is done; the next connection is well."""
    proxy.lose_replies()
    link.sendall(b"INCR n\r\n")
    assert_cut(link)

    assert redis_server.ask("GET", "n") == b"1"
    with socket.create_connection((HOST, proxy.port), timeout=10) as other:
        assert exchange(other, PING, len(PONG)) == PONG


def test_what_is_cut_off_can_be_reached_after_healing(proxy: FaultProxy, link: socket.socket) -> None:
    """Cut off, connections end and new ones are refused, until it heals on the same port."""
    assert exchange(link, PING, len(PONG)) == PONG
    proxy.cut_off()
    assert_cut(link)
    assert proxy.connections == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, proxy.port), timeout=10)

    proxy.heal()

    with socket.create_connection((HOST, proxy.port), timeout=10) as other:
        assert exchange(other, PING, len(PONG)) == PONG


def test_a_client_that_leaves_is_counted_no_more(proxy: FaultProxy) -> None:
    """A connection that its client ends is not open any more, but was accepted."""
    with socket.create_connection((HOST, proxy.port), timeout=10) as link:
        assert exchange(link, PING, len(PONG)) == PONG

    assert any(proxy.connections == 0 for _ in attempts(10))
    assert proxy.accepted == 1
