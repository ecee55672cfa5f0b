"""The way of a request: from what is kept, or to the origin, once for all who ask the same."""
