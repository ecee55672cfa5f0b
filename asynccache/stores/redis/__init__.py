"""Redis and Valkey: one server, a cluster, or whatever a Sentinel says is the primary."""

try:
    from asynccache.stores.redis.store import RedisStore
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "redis":
        raise
    raise ImportError('RedisStore needs a package: pip install "asynccache[redis]"') from error

__all__ = ["RedisStore"]
