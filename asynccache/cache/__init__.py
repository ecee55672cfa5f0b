"""`Cache`: a cache that services hold in their hands."""
