"""HTTP caching (RFC 9111): in front of aiohttp's client, and in front of one's own handlers."""
