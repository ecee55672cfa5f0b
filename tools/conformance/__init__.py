"""Runs the public HTTP cache tests (http-tests/cache-tests, as `cache-tests.fyi` does) against our HTTP caches.

`python -m tools.conformance --help` tells what it can do; `make conformance` does the usual. Nothing of the suite lies
in this repository: it is fetched when it is needed.
"""
