"""What Redis and its client raise, in the words of stores.

Decides which failures mean "not reached", which "too late", and which that the server has answered and said no. A
server's own words may repeat what it was asked, so none of them go into a message.
"""

from typing import Any, Final, NamedTuple

from redis import exceptions as redis_errors

from asynccache.errors import StoreError, StoreTimeout, StoreUnavailable

_KINDS: Final[tuple[tuple[type[Exception], type[StoreError], str], ...]] = (
    (redis_errors.BusyLoadingError, StoreUnavailable, "is still loading its data"),
    (redis_errors.MaxConnectionsError, StoreUnavailable, "takes no more connections"),
    (redis_errors.AuthenticationError, StoreUnavailable, "does not accept the user name and password"),
    (redis_errors.AuthenticationWrongNumberOfArgsError, StoreUnavailable, "knows no user names"),
    (redis_errors.AuthorizationError, StoreUnavailable, "does not let this user in"),
    (redis_errors.TimeoutError, StoreTimeout, "did not answer in time"),
    (redis_errors.ConnectionError, StoreUnavailable, "cannot be reached"),
    (redis_errors.ReadOnlyError, StoreUnavailable, "is a replica, and takes no changes"),
    (redis_errors.MovedError, StoreUnavailable, "no longer has the slot of a key"),
    (redis_errors.AskError, StoreUnavailable, "is handing a slot over to another"),
    (redis_errors.TryAgainError, StoreUnavailable, "is handing a slot over to another"),
    (redis_errors.MasterDownError, StoreUnavailable, "is a replica that has lost its primary"),
    (redis_errors.ClusterDownError, StoreUnavailable, "belongs to a cluster that is not whole"),
    (redis_errors.OutOfMemoryError, StoreError, "is full"),
    (redis_errors.NoPermissionError, StoreError, "does not permit this to the user"),
    (TimeoutError, StoreTimeout, "did not answer in time"),
    (OSError, StoreUnavailable, "cannot be reached"),
)

_WORDS: Final[dict[str, tuple[type[StoreError], str]]] = {
    "MISCONF": (StoreError, "cannot write to its disk, and takes no changes"),
    "NOREPLICAS": (StoreError, "has too few replicas, and takes no changes"),
    "BUSY": (StoreUnavailable, "is kept busy by a script"),
}
"""By the first word of a reply, for those which the client has no class of its own for."""

_ELSEWHERE: Final = (
    redis_errors.ReadOnlyError,
    redis_errors.MovedError,
    redis_errors.ClusterDownError,
    redis_errors.MasterDownError,
)


class Redirection(NamedTuple):
    """Where a server says that a slot is.

    Attributes:
        slot: which one.
        address: of the server that has it; without a host if that is the host of the one that was asked.
        is_for_once: the slot is being handed over, and this key is there already.
    """

    slot: int
    address: tuple[str, int]
    is_for_once: bool


def redirection(reply: object) -> Redirection | None:
    """Read `MOVED 3999 127.0.0.1:6381`, and `ASK` likewise; None for any other reply."""
    if not isinstance(reply, redis_errors.AskError):
        return None
    to: Any = reply
    return Redirection(to.slot_id, (to.host, to.port), not isinstance(reply, redis_errors.MovedError))


def is_the_wrong_one(reply: object) -> bool:
    """Tell whether a reply means that another server should have been asked."""
    return isinstance(reply, _ELSEWHERE)


def translate(error: BaseException, name: str) -> StoreError:
    """Give the store's error for a client's.

    Args:
        error: of the client, or of the operating system.
        name: of the server, for the message.
    """
    for kind, ours, words in _KINDS:
        if isinstance(error, kind):
            return ours(f"{name} {words}")
    known = _WORDS.get(str(error).partition(" ")[0])
    if known is not None:
        return known[0](f"{name} {known[1]}")
    return StoreError(f"{name} refused the request: {type(error).__name__}")
