"""Memcached: bytes on one node or several, each key on the node that its name chooses."""

from asynccache.stores.memcached.store import MemcachedStore as MemcachedStore
