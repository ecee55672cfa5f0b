"""What the shop reads, and how it is cached.

Shows the whole change that a cache asks for: `CachedCatalog` has `@async_cached` on the two reads of `Catalog`, and a
write that invalidates what it has changed.
"""

from dataclasses import dataclass

from asynccache import async_cached
from examples.shop.database import Database

_PRODUCT = """
SELECT p.sku, p.name, p.price, p.stock, c.name,
       (SELECT avg(stars) FROM reviews WHERE product = p.id),
       (SELECT avg(r.stars) FROM products q JOIN reviews r ON r.product = q.id WHERE q.category = p.category)
FROM products p JOIN categories c ON c.id = p.category
WHERE p.sku = ?
"""

_TOP = """
SELECT p.sku, p.name, p.price, avg(r.stars) AS average
FROM categories c JOIN products p ON p.category = c.id JOIN reviews r ON r.product = p.id
WHERE c.name = ?
GROUP BY p.id
ORDER BY average DESC, p.id
LIMIT 10
"""

_SET_PRICE = """
UPDATE products SET price = ? WHERE sku = ?
RETURNING (SELECT name FROM categories WHERE id = products.category)
"""


@dataclass(frozen=True, slots=True)
class Product:
    """A product's page. Frozen, because all who ask for it get the very same object from the cache."""

    sku: str
    name: str
    price: int
    """In cents."""
    stock: int
    category: str
    stars: float
    """The average of its reviews, 1 to 5."""
    category_stars: float
    """The average of all reviews in its category, to compare with."""


@dataclass(frozen=True, slots=True)
class TopProduct:
    """A line in the list of a category's best products."""

    sku: str
    name: str
    price: int
    """In cents."""
    stars: float


class Catalog:
    """Reads and writes the database each time it is asked to."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def product(self, sku: str) -> Product | None:
        """Give a product with its average review and its category's; None if there is no such product."""
        rows = await self._database.read(_PRODUCT, sku)
        return Product(*rows[0]) if rows else None

    async def top(self, category: str) -> tuple[TopProduct, ...]:
        """Give the ten products of a category that are reviewed best."""
        return tuple(TopProduct(*row) for row in await self._database.read(_TOP, category))

    async def set_price(self, sku: str, price: int) -> str | None:
        """Write a price, in cents, and give the product's category; None if there is no such product."""
        rows: list[tuple[str]] = await self._database.write(_SET_PRICE, price, sku)
        return rows[0][0] if rows else None


class CachedCatalog:
    """The same reads behind a cache, and this is all that it takes."""

    def __init__(self, database: Database) -> None:
        self.uncached = Catalog(database)

    @async_cached(maxsize=10_000, ttl=60)
    async def product(self, sku: str) -> Product | None:
        """Give a product; ask the database only if the cache has none that is at most a minute old."""
        return await self.uncached.product(sku)

    @async_cached(maxsize=100, ttl=60)
    async def top(self, category: str) -> tuple[TopProduct, ...]:
        """Give a category's best products, likewise."""
        return await self.uncached.top(category)

    async def set_price(self, sku: str, price: int) -> str | None:
        """Write first, then drop the two answers in which the old price may stand."""
        category = await self.uncached.set_price(sku, price)
        if category is not None:
            self.product.cache_invalidate(sku)
            self.top.cache_invalidate(category)
        return category
