"""A scraper that is polite: it asks a site as little as it can, waits when it is told to, and knows when not to ask.

Run it with `python -m examples.scraper`. Read it in this order:

- `crawl.py`: the scraper;
- `__main__.py`: three runs, one of them while the site is down;
- `site.py`: the site, on a port of this machine.
"""
