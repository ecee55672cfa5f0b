"""A gateway before a slow service: what it asks is cached, what it answers is cached, and a change empties both.

Run it with `python -m examples.gateway`. Read it in this order:

- `service.py`: the gateway;
- `__main__.py`: visitors, a change, an outage;
- `upstream.py`: the slow service, on a port of this machine.
"""
