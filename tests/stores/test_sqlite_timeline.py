from pathlib import Path

from asynccache.stores import Item, SQLiteStore
from asynccache.stores.sqlite.timeline import Machine, Timeline, begin, this_machine
from asynccache.testing import ManualClock

PATIENT = 30.0


class Hardware:
    """A machine whose clocks a test moves."""

    def __init__(self) -> None:
        self.start = "first"
        self.uptime = ManualClock(50.0)
        self.wall = 1_000_000.0

    @property
    def machine(self) -> Machine:
        """Its clocks."""
        return Machine(self.start, self.uptime, lambda: self.wall)

    def restart(self, off_for: float) -> None:
        """Switch it off and on."""
        self.start += " again"
        self.wall += off_for
        self.uptime = ManualClock(1.0)


def opened(path: Path, hardware: Hardware) -> SQLiteStore:
    """A store on this machine."""
    store = SQLiteStore(path, timeout=PATIENT)
    store._worker._settings = store._worker._settings._replace(machine=hardware.machine)
    return store


def test_one_time_as_long_as_the_machine_runs() -> None:
    """Whoever opens the file finds the time that others go by, whatever the wall clock says meanwhile."""
    hardware = Hardware()
    first = begin(hardware.machine, None)
    assert hardware.uptime() + first.offset == 1_000_000.0
    hardware.uptime.advance(10.0)
    hardware.wall = 5.0
    assert begin(hardware.machine, first) == first
    hardware.wall = 9e9
    assert begin(hardware.machine, first) == first


def test_after_a_restart_time_goes_on() -> None:
    """After a restart the wall clock tells how long the machine was off, and is never believed to go back."""
    hardware = Hardware()
    former = Timeline("first", 999_950.0, latest=1_000_500.0)
    hardware.restart(off_for=3_600.0)
    assert begin(hardware.machine, former).offset + hardware.uptime() == 1_003_600.0
    hardware.wall = 12.0
    late = begin(hardware.machine, former)
    assert late.offset + hardware.uptime() == 1_000_500.0
    assert late.latest == 1_000_500.0


def test_a_machine_whose_starts_have_no_name() -> None:
    """Where starts cannot be told apart, a process begins by the wall clock, but not before what was reached."""
    hardware = Hardware()
    hardware.start = ""
    assert begin(hardware.machine, Timeline("", 7.0, latest=5.0)) == Timeline("", 999_950.0, 1_000_000.0)


def test_this_machine_goes_forward() -> None:
    """The real clocks are there, and two processes would agree on them."""
    machine, again = this_machine(), this_machine()
    assert machine.start == again.start
    assert 0 <= again.uptime() - machine.uptime() + 1e-3 < 60
    assert machine.wall() > 1_700_000_000


async def test_a_jump_of_the_clock_changes_nothing(tmp_path: Path) -> None:
    """A wall clock that is set forward kills no item, and one that is set back brings none back, in any process."""
    hardware = Hardware()
    path = tmp_path / "cache.db"
    store = opened(path, hardware)
    await store.set_many({b"short": Item(b"v", 10.0), b"long": Item(b"v", 100.0)})
    hardware.wall += 1e6
    later = opened(path, hardware)
    assert (await later.get_many([b"short", b"long"])).keys() == {b"short", b"long"}
    hardware.uptime.advance(20.0)
    hardware.wall -= 2e6
    third = opened(path, hardware)
    for one in (store, later, third):
        assert (await one.get_many([b"short", b"long"])).keys() == {b"long"}
        await one.aclose()


async def test_a_restart_with_a_wrong_clock_brings_nothing_back(tmp_path: Path) -> None:
    """What had expired before the machine was switched off stays gone, though its clock begins in 1970 again."""
    hardware = Hardware()
    path = tmp_path / "cache.db"
    store = opened(path, hardware)
    await store.set_many({b"short": Item(b"v", 10.0), b"long": Item(b"v", 100.0)})
    hardware.uptime.advance(20.0)
    await store.get_many([b"long"])  # what is asked lets the time be noted
    await store.aclose()
    hardware.restart(off_for=0.0)
    hardware.wall = 12.0
    later = opened(path, hardware)
    assert (await later.get_many([b"short", b"long"])).keys() == {b"long"}
    hardware.uptime.advance(81.0)
    assert await later.get_many([b"short", b"long"]) == {}
    await later.aclose()


async def test_a_restart_counts_the_time_off(tmp_path: Path) -> None:
    """Items expire while the machine is off."""
    hardware = Hardware()
    path = tmp_path / "cache.db"
    store = opened(path, hardware)
    await store.set_many({b"short": Item(b"v", 10.0), b"long": Item(b"v", 100.0)})
    await store.aclose()
    hardware.restart(off_for=50.0)
    later = opened(path, hardware)
    assert (await later.get_many([b"short", b"long"])).keys() == {b"long"}
    await later.aclose()
