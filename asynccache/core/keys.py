"""What can be a key."""


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
