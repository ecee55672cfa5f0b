"""Servers for tests are what their tests take them for: ready, empty, and new after harm."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.fixtures import Kept
from tests.servers.missing import VARIABLE, program
from tests.servers.process import attempts
from tests.servers.redis import RedisServer
from tests.servers.redis_cluster import RedisCluster
from tests.servers.redis_sentinel import RedisSentinel

ROOT = Path(__file__).parents[2]


def test_a_server_is_emptied_for_the_next_test(kept_redis: Kept[RedisServer]) -> None:
    """What one test wrote, the next does not find, though the server is the same."""
    server = kept_redis.fresh()
    server.ask("SET", "left", "behind")

    again = kept_redis.fresh()

    assert again is server
    assert again.ask("DBSIZE") == 0


def test_a_server_that_was_harmed_is_not_used_again(kept_redis: Kept[RedisServer]) -> None:
    """A test gets a new server after one that killed or paused the former."""
    server = kept_redis.fresh()
    server.pause()

    again = kept_redis.fresh()

    assert again is not server
    assert not server.is_running
    assert again.ask("PING") == b"PONG"


def test_a_server_comes_back_where_it_was(redis_server: RedisServer) -> None:
    """A server that is started again listens on the same port, and is another process."""
    url, pid = redis_server.url, redis_server.pid

    redis_server.restart()

    assert redis_server.url == url
    assert redis_server.pid != pid
    assert redis_server.is_running


def test_a_cluster_heals(redis_cluster: RedisCluster) -> None:
    """A replica takes the place of a primary that is killed."""
    former = redis_cluster.primary_of(b"key")
    former.kill()

    redis_cluster.wait_until_whole()

    assert redis_cluster.primary_of(b"key") is not former


def test_sentinels_find_another_primary(redis_sentinel: RedisSentinel) -> None:
    """A replica takes the place of a primary that is killed, and the sentinels say so."""
    former = redis_sentinel.primary
    former.kill()

    assert redis_sentinel.wait_for_another(former) is redis_sentinel.servers[1]


def test_what_is_missing_is_skipped_or_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine's lack skips a test with the remedy in its words, and fails it where all is meant to be there."""
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(pytest.skip.Exception, match="no-such-server is missing: install it"):
        program("no-such-server", "install it")

    monkeypatch.setenv(VARIABLE, "all")
    with pytest.raises(pytest.fail.Exception, match="no-such-server is missing: install it"):
        program("no-such-server", "install it")


def test_servers_end_with_a_run_that_is_killed(redis_server: RedisServer) -> None:
    """A test run that is killed leaves no server behind."""
    begin = "from tests.servers.redis import RedisServer; import sys; server = RedisServer().start()"
    script = f"{begin}; print(server.pid, server.folder, flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        pid, folder = run.stdout.readline().split()
        os.kill(int(pid), 0)
        run.kill()

    shutil.rmtree(folder)
    assert any(not exists(int(pid)) for _ in attempts(10))


def exists(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
