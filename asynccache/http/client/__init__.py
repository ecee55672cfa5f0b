"""The cache of an aiohttp client: one file for what goes out, one for what comes back, one that joins them."""
