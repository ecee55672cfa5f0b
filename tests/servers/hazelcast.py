"""Hazelcast: members of one cluster, each a Java process, from a jar that Maven fetches once."""

import os
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

from tests.servers.missing import missing, program
from tests.servers.ports import free_ports
from tests.servers.process import HOST, Server

VERSION: Final = "5.7.0"
CLUSTER: Final = "asynccache-test"
JAR_VARIABLE: Final = "HAZELCAST_JAR"
MAIN: Final = "com.hazelcast.core.server.HazelcastMemberStarter"

JAVA_WORDS: Final = (
    "-Xms64m", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
    "--add-modules", "java.se",
    "--add-exports", "java.base/jdk.internal.ref=ALL-UNNAMED",
    "--add-opens", "java.base/java.lang=ALL-UNNAMED",
    "--add-opens", "java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-opens", "java.management/sun.management=ALL-UNNAMED",
    "--add-opens", "jdk.management/com.sun.management.internal=ALL-UNNAMED",
    "-Dhazelcast.phone.home.enabled=false", "-Dhazelcast.shutdownhook.policy=TERMINATE",
    "-Dhazelcast.partition.count=31",
    "-Dhazelcast.max.no.heartbeat.seconds=5", "-Dhazelcast.heartbeat.interval.seconds=1",
)  # fmt: skip
"""What Java 17 has to open for a member, and what makes one small and quick to notice that another is gone."""

CONFIGURATION: Final = """\
hazelcast:
  cluster-name: {cluster}
  network:
    public-address: {host}:{port}
    port: {{port: {port}, auto-increment: false}}
    interfaces: {{enabled: true, interfaces: [{host}]}}
    join:
      auto-detection: {{enabled: false}}
      multicast: {{enabled: false}}
      tcp-ip: {{enabled: true, member-list: [{members}]}}
"""
"""Loopback only: without `interfaces` and `public-address` a member listens on every address of the machine."""


def jar() -> Path:
    """Give the path of the jar: the one that the variable names, or one that Maven puts into the user's cache."""
    named = os.environ.get(JAR_VARIABLE)
    if named:
        return Path(named) if Path(named).is_file() else missing(named, f"{JAR_VARIABLE} has to name a file")
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = caches / "asynccache-test"
    path = folder / f"hazelcast-{VERSION}.jar"
    if not path.is_file():
        fetch(folder)
    return path


def fetch(folder: Path) -> None:
    """Let Maven put the jar into a folder: whole, or not at all, as another test run may look there meanwhile."""
    maven = program("mvn", f"on Debian and Ubuntu: apt-get install maven; or set {JAR_VARIABLE} to hazelcast-*.jar")
    words = [maven, "-q", "-B", "dependency:copy", f"-Dartifact=com.hazelcast:hazelcast:{VERSION}"]
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as desk:
        done = subprocess.run(
            [*words, f"-DoutputDirectory={desk}"], capture_output=True, text=True, timeout=300, check=False
        )
        if done.returncode:
            missing("the jar of Hazelcast", f"Maven has failed, set {JAR_VARIABLE}; it said: {done.stdout[-500:]}")
        for path in Path(desk).glob("*.jar"):
            path.replace(folder / path.name)


class HazelcastMember(Server):
    """One member.

    Args:
        port: where it listens.
        ports: where it looks for members, itself included.
        joined: how many there have to be before it counts as ready.
    """

    patience = 60.0

    def __init__(self, port: int, ports: Sequence[int], joined: int) -> None:
        self._java = program("java", "on Debian and Ubuntu: apt-get install openjdk-17-jre-headless")
        self._jar = jar().absolute()
        super().__init__()
        self.port = port
        self.joined = joined
        members = ", ".join(f'"{HOST}:{other}"' for other in ports)
        text = CONFIGURATION.format(cluster=CLUSTER, host=HOST, port=port, members=members)
        (self.folder / "member.yaml").write_text(text)

    def command(self) -> Sequence[str]:
        """Give the words that start it."""
        return [self._java, *JAVA_WORDS, "-Dhazelcast.config=member.yaml", "-cp", str(self._jar), MAIN]

    def spawn(self) -> None:
        """Start its process, with an empty log: what it says of members is read there."""
        (self.folder / "log").unlink(missing_ok=True)
        super().spawn()

    def answers(self) -> bool:
        """Look whether it has found the others, and listens."""
        log = (self.folder / "log").read_text(errors="replace")
        if f"Members {{size:{self.joined}," not in log or " is STARTED" not in log:
            return False
        socket.create_connection((HOST, self.port), timeout=5).close()
        return True

    @property
    def address(self) -> str:
        """The host and the port."""
        return f"{HOST}:{self.port}"


class HazelcastMembers:
    """Members of one cluster. A context manager.

    Args:
        count: how many. Alone one is up in about 3 seconds, two in about 8.
    """

    def __init__(self, count: int = 1) -> None:
        ports = free_ports(count)
        self.members = [HazelcastMember(port, ports, count) for port in ports]
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with self._stack as stack:
            for member in self.members:
                stack.callback(member.close)
            for member in self.members:
                member.spawn()
            for member in self.members:
                member.wait_until(member.answers)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def is_fresh(self) -> bool:
        """Whether no test has done harm to a member. What they keep stays: tests use maps or keys of their own."""
        return not any(member.is_touched for member in self.members)

    @property
    def url(self) -> str:
        """The URL of a store in them."""
        return f"hazelcast://{','.join(member.address for member in self.members)}/{CLUSTER}"
