"""The shop's database: made once from a seed, so that each run and each machine works on the same products.

Shows a data set large enough that a query costs something: 100,000 products in 100 categories, three reviews each.
"""

import contextlib
import os
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from examples.shop.progress import Progress

CATEGORIES = 100
REVIEWS_EACH = 3
_BATCH = 5_000

_COLOURS = ("Amber", "Blue", "Copper", "Green", "Ivory", "Red", "Silver", "Violet", "White", "Yellow")
_THINGS = ("Bench", "Bowl", "Chair", "Clock", "Kettle", "Lamp", "Mirror", "Shelf", "Table", "Vase")

_SCHEMA = """
CREATE TABLE categories (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE products (
    id INTEGER PRIMARY KEY,
    sku TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    price INTEGER NOT NULL,  -- in cents
    stock INTEGER NOT NULL,
    category INTEGER NOT NULL REFERENCES categories (id)
);
CREATE TABLE reviews (
    product INTEGER NOT NULL REFERENCES products (id),
    number INTEGER NOT NULL,
    stars INTEGER NOT NULL,  -- 1 to 5
    PRIMARY KEY (product, number)
) WITHOUT ROWID;
"""


def sku_of(number: int) -> str:
    """Tell the name by which a product is ordered; products are numbered from 0."""
    return f"P{number:06d}"


def category_of(number: int) -> str:
    """Tell a category's name, as it stands in an address; categories are numbered from 0."""
    return f"{_COLOURS[number // 10]}-{_THINGS[number % 10]}".lower()


def make_database(folder: Path, products: int, seed: int) -> Path:
    """Make the database, unless the folder holds it already, and give its path."""
    path = folder / f"shop-{products}-{seed}.sqlite3"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".gitignore").write_text("*\n")
        unfinished = path.with_suffix(f".{os.getpid()}")
        try:
            _build(unfinished, products, seed)
            unfinished.replace(path)  # All or nothing: a run that is interrupted leaves no half of a database.
        finally:
            unfinished.unlink(missing_ok=True)
    return path


def _build(path: Path, products: int, seed: int) -> None:
    chance = random.Random(seed)
    progress = Progress(f"Making {products:,} products", products)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous = OFF")  # Nothing is lost that a second run would not make again.
        connection.executescript(_SCHEMA)
        connection.executemany("INSERT INTO categories VALUES (?, ?)", enumerate(map(category_of, range(CATEGORIES))))
        for first in range(0, products, _BATCH):
            numbers = range(first, min(first + _BATCH, products))
            connection.executemany("INSERT INTO products VALUES (?, ?, ?, ?, ?, ?)", _products(numbers, chance))
            connection.executemany("INSERT INTO reviews VALUES (?, ?, ?)", _reviews(numbers, chance))
            progress.show(numbers.stop)
        connection.execute("CREATE INDEX products_by_category ON products (category)")
        connection.commit()
        connection.execute("PRAGMA journal_mode = WAL")  # Readers and the writer do not wait for each other.
    progress.finish()


def _products(numbers: range, chance: random.Random) -> Iterator[tuple[int, str, str, int, int, int]]:
    for number in numbers:
        name = f"{chance.choice(_COLOURS)} {chance.choice(_THINGS)} {number}"
        category = number if number < CATEGORIES else chance.randrange(CATEGORIES)  # None stays empty.
        yield number, sku_of(number), name, chance.randrange(100, 50_000), chance.randrange(200), category


def _reviews(numbers: range, chance: random.Random) -> Iterator[tuple[int, int, int]]:
    for number in numbers:
        for review, stars in enumerate(chance.choices((1, 2, 3, 4, 5), weights=(1, 1, 3, 6, 5), k=REVIEWS_EACH)):
            yield number, review, stars
