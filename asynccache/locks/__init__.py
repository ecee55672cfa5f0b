"""Leases on what is shared between processes: locks with a fence, and one load at a time for a whole fleet."""
