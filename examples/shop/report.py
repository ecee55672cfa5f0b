"""The table at the end: both runs side by side, in words that need no knowledge of caches."""

import math
from dataclasses import dataclass

from examples.shop.traffic import Measured

_LABEL, _COLUMN = 28, 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """What one run has given: seen by the client, and counted by the service."""

    measured: Measured
    hits: int
    misses: int
    database_calls: int
    new_price_served: bool

    @property
    def hit_ratio(self) -> float:
        """The share of reads that the cache answered."""
        return self.hits / max(1, self.hits + self.misses)

    @property
    def fine(self) -> bool:
        """Whether all requests were answered, and the new price was served after the write."""
        return self.measured.errors == 0 and self.new_price_served


def table(without: Run, with_cache: Run) -> str:
    """Lay out both runs, and say what that means."""
    lines = [_line("", "without cache", "@async_cached"), "-" * (_LABEL + 2 * _COLUMN)]
    columns = zip(_figures(without), _figures(with_cache), strict=True)
    lines += [_line(label, left, right) for (label, left), (_, right) in columns]
    return "\n".join(["", *lines, "", *_explanation(without, with_cache)])


def _line(label: str, left: str, right: str) -> str:
    return f"{label:<{_LABEL}}{left:>{_COLUMN}}{right:>{_COLUMN}}"


def _figures(run: Run) -> list[tuple[str, str]]:
    latencies = run.measured.latencies
    return [
        ("requests per second", f"{len(latencies) / run.measured.seconds:,.0f}"),
        ("database calls", f"{run.database_calls:,}"),
        ("latency p50 (half)", _milliseconds(percentile(latencies, 50))),
        ("latency p99 (99 of 100)", _milliseconds(percentile(latencies, 99))),
        ("answered from the cache", f"{run.hit_ratio:.1%}"),
        ("errors", f"{run.measured.errors:,}"),
        ("new price after a PUT", "served" if run.new_price_served else "NOT SERVED"),
    ]


def percentile(ascending: list[float], percent: float) -> float:
    """Give the smallest value that `percent` of all values do not exceed (the nearest-rank method)."""
    return ascending[max(0, math.ceil(len(ascending) * percent / 100) - 1)]


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"


def _explanation(without: Run, with_cache: Run) -> list[str]:
    spared = 1 - with_cache.database_calls / max(1, without.database_calls)
    faster = without.measured.seconds / with_cache.measured.seconds
    return [
        f"With the cache the same requests were served {faster:.1f} times as fast: {spared:.0%} of the database calls",
        "were not needed. Pages that the cache does not hold yet still wait for the database (p99); the line there",
        "stays long, since each client asks for its next page as soon as it has an answer.",
        "",
        "Try an invalidation by hand: start the service with `python -m examples.shop.service`, then",
        "  curl http://127.0.0.1:8080/products/P000001",
        "  curl -X PUT -d 1999 http://127.0.0.1:8080/products/P000001/price",
        "and the first again: the PUT writes, then calls `cache_invalidate(sku)` (see examples/shop/catalog.py).",
    ]
