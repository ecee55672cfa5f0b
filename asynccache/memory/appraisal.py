"""On what terms a value is stored: its weight, its time, its tags, or that it is not stored at all.

The user's own functions run here, and nothing else does: no lock is held, and what they raise is the caller's business.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from asynccache.core.bounded import BoundedCache
from asynccache.core.generations import read_tags
from asynccache.flight.loading import Load
from asynccache.flight.plan import Plan, TagsOf
from asynccache.protocols import MISSING


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a value is stored.

    Attributes:
        weight: what it weighs.
        ttl: how many seconds it is fresh; None for ever.
        tags: the names of its tags; they count even if it is not stored, as they tell whether it is out of date.
        is_stored: whether it is stored at all.
        is_renewal: whether it is the old value, for a new term.
        is_wanted: whether it is worth storing at all, be it further away where there is no room for it here.
        held: how many seconds it is kept here, where it lies in a tier further away as well; None as long as it lasts.
        age: how many seconds ago it was loaded, if it comes from a tier further away: `ttl` is then what is left of its
            time, to the letter.
        load_time: how long its load took, in seconds; None if that is the flight's to say.
    """

    weight: float
    ttl: float | None
    tags: tuple[str, ...] = ()
    is_stored: bool = True
    is_renewal: bool = False
    is_wanted: bool = True
    held: float | None = None
    age: float | None = None
    load_time: float | None = None


NOT_STORED: Final = Terms(math.inf, 0.0, is_stored=False, is_wanted=False)


def fixed_terms(cache: BoundedCache[Any, Any], plan: Plan) -> Terms | None:
    """The terms that hold for every value of a plan, if neither the value nor the user's functions decide them."""
    expiry = plan.expiry
    if cache.max_weight == 0:
        return NOT_STORED
    if plan.store_if is not None or callable(expiry.ttl) or cache.max_weight is not None or callable(plan.tags):
        return None
    return _checked(cache, plan, Terms(1, expiry.ttl, plan.tags))


def appraise(
    cache: BoundedCache[Any, Any],
    plan: Plan,
    said: Load | None,
    key: object,
    value: object,
    call: tuple[tuple[Any, ...], Mapping[str, Any]],
) -> Terms:
    """Tell the terms of one value.

    Args:
        cache: where it would be stored.
        plan: how it was loaded.
        said: what its load has said itself, which counts more.
        key, value: what would be stored.
        call: what it was loaded with, by position and by name.

    Raises:
        Exception: whatever the user's functions raise, or what is wrong with what they give.
    """
    args, kwargs = call
    said_tags = MISSING if said is None else said.tags
    tags = tags_of(plan.tags, value, args, kwargs) if said_tags is MISSING else said_tags
    if said is not None and not said.store:
        return replace(NOT_STORED, tags=tags)
    if plan.store_if is not None and not plan.store_if(value, *args, **kwargs):
        return replace(NOT_STORED, tags=tags)
    said_ttl = MISSING if said is None else said.ttl
    terms = Terms(
        cache.weigh(key, value) if plan.weight is None else plan.weight,
        plan.expiry.time_to_live(value, args, kwargs) if said_ttl is MISSING else said_ttl,
        tags,
        is_renewal=said is not None and said.is_renewal and value is said.stale,
    )
    return _checked(cache, plan, terms)


def terms_of_error(
    cache: BoundedCache[Any, Any], plan: Plan, said: Load | None, key: object, error: Exception, ttl: float | None
) -> Terms:
    """Tell the terms of an error that is remembered for `ttl` seconds. Its tags are those known without a result."""
    try:
        weight = cache.weigh(key, error)
    except Exception:  # the weigher knows values only
        weight = 1
    tags = MISSING if said is None else said.tags
    if tags is MISSING:
        tags = () if callable(plan.tags) else plan.tags
    is_wanted = ttl != 0 and (said is None or said.store)
    return Terms(weight, ttl, tags, is_stored=is_wanted and cache.fits(weight), is_wanted=is_wanted)


def _checked(cache: BoundedCache[Any, Any], plan: Plan, terms: Terms) -> Terms:
    lives = (terms.ttl != 0 or plan.freshness.lasts > 0) and plan.expiry.idle != 0
    if lives and cache.fits(terms.weight):
        return terms
    return replace(terms, is_stored=False, is_wanted=lives)


def tags_of(option: TagsOf, value: object, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[str, ...]:
    """Tell the tags of a value.

    Raises:
        TypeError: the function gave something else than strings.
        Exception: whatever the function raises.
    """
    return (
        read_tags("what tags() returns", option(value, *args, **kwargs), is_private=True)
        if callable(option)
        else option
    )
