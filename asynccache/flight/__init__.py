"""Loads in the air: one for a key, however many wait for it."""
