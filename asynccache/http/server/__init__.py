"""Caches in front of one's own handlers: aiohttp.web and ASGI."""
