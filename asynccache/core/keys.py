"""What can be a key, and how keys of namespaces are told apart: as pairs of the namespace's tag and the user's key."""

from typing import Any

from asynccache.core.generations import Tag


def refuse_unhashable(key: object) -> None:
    """Refuse what cannot be a key.

    Raises:
        TypeError: it has no hash.
    """
    try:
        hash(key)
    except TypeError:
        kind = type(key).__name__
        raise TypeError(f"unhashable key ({kind}): use something that can be in a dict, such as a tuple") from None


def split_key(key: Any) -> tuple[Tag | None, Any]:
    """Tell the namespace that a key lies in, None for none, and the key as users know it."""
    if not isinstance(key, tuple):
        return None, key
    parts: tuple[Any, ...] = key  # pyright: ignore[reportUnknownVariableType]
    return (parts[0], parts[1]) if len(parts) == 2 and isinstance(parts[0], Tag) else (None, parts)


def refuse_text(what: str, keys: object) -> None:
    """Refuse one text where several keys are meant: its letters would be taken for them.

    Raises:
        TypeError: with what to write instead.
    """
    if isinstance(keys, str | bytes):
        raise TypeError(f"{what} must be several keys, not one text: write [{keys!r}]")
