"""Each connection is an open file, and many systems allow a process no more than 1,024 of them unless it asks.

Shows how to ask: up to the hard limit, a process may raise its own soft limit, and its children inherit that.
"""

import sys

_OTHERS = 100
"""Open files besides the connections: the database's, pipes, the interpreter's own."""


def connections_allowed(wanted: int) -> int:
    """Make room for `wanted` connections if possible; tell how many there can be, at least one."""
    if sys.platform == "win32":  # No such limit there.
        return wanted
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _OTHERS
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    raised = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
    except (ValueError, OSError):  # Refused, as a sandbox may do: make do with what there is.
        raised = soft
    return max(1, min(wanted, raised - _OTHERS))
