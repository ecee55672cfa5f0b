"""The rules of HTTP caching: RFC 9111, one function for each of its sections, one file for each of its chapters.

Decides what may be stored (`storing`, section 3), which stored response answers a request and whether it may
(`reusing`, 4, 4.1 and 4.2.4), how old it is and for how long fresh (`freshness`, 4.2), what a validation asks and says
(`validation`, 4.3), what a change makes invalid (`invalidation`, 4.4), and what the directives of both sides say
(`directives`, 5.2).

Everything is passed in, the time too: the same question always has the same answer. Durations are seconds, points in
time seconds since 1970. What the user has told us otherwise (`Policy`) is taken in where the RFC's own rule stands.
"""

from asynccache.http.rfc9111.directives import forbids_storing, wants_only_stored
from asynccache.http.rfc9111.freshness import Terms, age, is_cacheable_by_default, is_for_everybody, terms
from asynccache.http.rfc9111.invalidation import invalidated_uris
from asynccache.http.rfc9111.reusing import Reuse, choose, may_serve_on_error, reuse, vary_names
from asynccache.http.rfc9111.storing import (
    Refusal,
    answers_get,
    span_of,
    stored_fields,
    updated_fields,
    why_not_stored,
)
from asynccache.http.rfc9111.validation import freshened, head_update, selected_by, validation_lines
from asynccache.http.syntax.uris import cache_uri
from asynccache.http.syntax.vary import selecting

__all__ = [
    "Refusal", "Reuse", "Terms", "age", "answers_get", "cache_uri", "choose", "forbids_storing", "freshened",
    "head_update", "invalidated_uris", "is_cacheable_by_default", "is_for_everybody", "may_serve_on_error", "reuse",
    "selected_by", "selecting", "span_of", "stored_fields", "terms", "updated_fields", "validation_lines",
    "vary_names", "wants_only_stored", "why_not_stored",
]  # fmt: skip
