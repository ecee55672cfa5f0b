"""How a coroutine function gets its cache: the parts of `async_cached`."""
