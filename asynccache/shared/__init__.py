"""The tier that processes share: values in a store, and what keeps the tier in process true to them."""
