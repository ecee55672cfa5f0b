"""Hazelcast: bytes in a map that a cluster of members keeps, and news of what changes in it."""

from asynccache.stores.hazelcast.store import HazelcastStore as HazelcastStore
