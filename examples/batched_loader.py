"""N + 1 queries become two: code asks for one author at a time, and the database is asked once for all of them.

Run it with `python -m examples.batched_loader`.
"""

import asyncio
from dataclasses import dataclass

from asynccache import async_cached

AUTHORS = {1: "Ursula K. Le Guin", 2: "Stanisław Lem", 3: "Octavia E. Butler"}

statements: list[str] = []


def execute(statement: str, *parameters: object) -> None:
    """Stand for a database; it notes what it was asked."""
    statements.append(f"{statement} {list(parameters)}")


@dataclass(frozen=True)
class Book:
    """A row of the table of books."""

    title: str
    author: int


async def recent_books() -> list[Book]:
    """Read the newest books."""
    execute("SELECT * FROM books ORDER BY added DESC LIMIT $1", 5)
    return [Book("Solaris", 2), Book("Kindred", 3), Book("Lavinia", 1), Book("Fiasco", 2), Book("Dawn", 3)]


@async_cached.batched(max_size=50, ttl=60)
async def author(ids: list[int]) -> dict[int, str]:
    """Read several authors at once; it is called with one."""
    execute("SELECT * FROM authors WHERE id = ANY($1)", sorted(ids))
    await asyncio.sleep(0)
    return {number: AUTHORS[number] for number in ids}


async def line(book: Book) -> str:
    """Write one line of the page. It knows of no batches."""
    return f"{book.title}, by {await author(book.author)}"


async def main() -> None:
    """Make the page twice."""
    for line_of_page in await asyncio.gather(*(line(book) for book in await recent_books())):
        print(line_of_page)
    print(*statements, sep="\n")

    statements.clear()
    await asyncio.gather(*(line(book) for book in await recent_books()))
    print(f"again: {len(statements)} statement")


if __name__ == "__main__":
    asyncio.run(main())
