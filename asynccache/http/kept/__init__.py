"""Where responses are kept: any store, one record for all variants of a URL, large bodies in pieces beside it."""
