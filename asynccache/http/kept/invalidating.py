"""Making responses invalid, be it late.

Decides what is sent, and that it is sent again until the store has it: see `owed`.
"""

from typing import Final

from asynccache.errors import StoreError
from asynccache.http.kept.owed import Debt, Owed
from asynccache.http.kept.purges import Marks
from asynccache.http.kept.records import tombstone
from asynccache.http.kept.store_link import StoreLink
from asynccache.stores.contract import Item

TOMBSTONE_TTL: Final = 600.0
"""Seconds for which it is remembered that a key was invalidated. A response that takes longer to come is not stored."""


class Invalidator:
    """Sends what makes responses invalid.

    Args:
        link: the way to the store.
        marks: writes those.

    Attributes:
        owed: what could not be sent yet.
    """

    def __init__(self, link: StoreLink, marks: Marks) -> None:
        self.owed = Owed(link.spelling.everything)
        self._link = link
        self._marks = marks

    async def send(self, debt: Debt) -> None:
        """Send what makes responses invalid; what cannot be sent is owed."""
        try:
            await self._send_now(debt)
        except StoreError as error:
            self._link.counts.note_error(error)
            self.owed.add(debt, self._link.clock())
        except BaseException:  # whoever asked for it is cancelled: it has to be done all the same
            self.owed.add(debt, self._link.clock())
            raise

    async def settle(self) -> None:
        """Send what is owed.

        Raises:
            StoreError: the store still fails.
        """
        if self.owed.is_any:
            await self._link.store.get_many([self._link.spelling.everything])  # much is made in vain, if that fails
            debt, number = self.owed.all()
            await self._send_now(debt)
            self.owed.settled(number)

    async def _send_now(self, debt: Debt) -> None:
        if debt.keys:
            now, spelling = self._link.clock(), self._link.spelling
            lie_at = [spelling.record(key) for key in debt.keys]
            # New tombstones each time: those that were sent before would undo what others did since.
            await self._link.store.set_many(
                {each: Item(tombstone(self._link.sealer, each, now), TOMBSTONE_TTL) for each in lie_at}
            )
        if debt.marks:
            await self._marks.purge(debt.marks)
