"""A web service before and after `@async_cached`: the same 20,000 requests, once without the cache and once with it.

Run it with `python -m examples.shop`. Read it in this order:

- `catalog.py`: the reads, and the two lines that cache them;
- `service.py`: the handlers of the web service, one of which invalidates;
- `data.py`, `database.py`: the SQLite database, made once, and how it is read without blocking the event loop;
- `traffic.py`: the customers;
- `child.py`, `open_files.py`, `progress.py`, `report.py`, `__main__.py`: the measurement around them.
"""
