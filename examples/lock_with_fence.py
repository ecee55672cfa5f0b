"""A lock of many processes, and the number that protects what it is for.

Three workers want to write the same page; one at a time may. Then one comes back that was away for so long that its
lock had gone to somebody else: the page refuses it, as its number is too low.

Run it with `python -m examples.lock_with_fence`, or give it the address of a store, such as
`python -m examples.lock_with_fence redis://localhost:6379/0`.
"""

import asyncio
import sys

from asynccache import Cache, LockTimeout


class Page:
    """Stand for a row of a database: `UPDATE pages SET ... WHERE id = 7 AND fence <= 12`."""

    def __init__(self) -> None:
        self.text = "nothing"
        self.fence = 0
        self.writers = 0

    async def write(self, text: str, fence: int) -> bool:
        """Write, unless a later holder of the lock has done so."""
        self.writers += 1
        assert self.writers == 1, "two at once"
        await asyncio.sleep(0)
        self.writers -= 1
        if fence < self.fence:
            return False
        self.text, self.fence = text, fence
        return True


async def work(cache: Cache, page: Page, text: str) -> int:
    """Write the page under the lock, and give the number under which it was done."""
    async with cache.lock("page 7", ttl=10) as lease:
        assert not lease.lost.is_set()
        assert await page.write(text, lease.fence)
        return lease.fence


async def main(store: str) -> None:
    """Let three work at the same time, and one come late."""
    page = Page()
    async with Cache(store, namespace="lock-with-fence") as cache, Cache(store, namespace="lock-with-fence") as other:
        fences = await asyncio.gather(*(work(cache, page, f"worker {number}") for number in range(3)))
        print(f"three workers, one after the other; their numbers are different: {len(set(fences)) == 3}")

        async with cache.lock("page 7", ttl=10):
            try:
                async with other.lock("page 7", ttl=10, wait=0):
                    print("two holders")
            except LockTimeout:
                print("another process, meanwhile: the lock is held by somebody else")

        fence = await work(other, page, "somebody new")
        print(f"page: {page.text}, with a higher number: {fence > max(fences)}")
        print(f"worker 0 comes back and writes: {await page.write('something old', fences[0])}")
        print(f"page: {page.text}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "memory://lock-with-fence"))
