"""The bounded mappings serve alone too, without a decorator and without an event loop.

Run it with `python -m examples.mapping_alone`.
"""

from asynccache import LRUCache


def main() -> None:
    """Keep the three capitals that were used last."""
    capitals: LRUCache[str, str] = LRUCache(maxsize=3)
    capitals["France"] = "Paris"
    capitals["Norway"] = "Oslo"
    capitals["Kenya"] = "Nairobi"

    print("used:", capitals["France"])  # France was the oldest; this read makes it the newest.
    capitals["Peru"] = "Lima"  # No room for four: Norway is the one that was not used for longest.
    print("kept:", ", ".join(sorted(capitals)))

    print("Norway:", capitals.get("Norway", "not here any more"))
    print("looked at, which is no use:", capitals.peek("Kenya"))
    country, capital = capitals.popitem()
    print(f"next to go: {country} ({capital})")


if __name__ == "__main__":
    main()
