"""A client of an API such as GitHub's: what has not changed costs neither time nor a part of the rate limit.

Run it with `python -m examples.github`. Read it in this order:

- `client.py`: the client, and the three lines in it that know of a cache;
- `__main__.py`: what two users ask, and what is sent;
- `server.py`: the API, on a port of this machine.
"""
