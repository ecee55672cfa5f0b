"""Redis and Valkey: one server, a cluster, or whatever a Sentinel says is the primary."""

from asynccache.stores.redis.store import RedisStore

__all__ = ["RedisStore"]
