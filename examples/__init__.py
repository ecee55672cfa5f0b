"""Examples to read and to run: `python -m examples.hello`, and so on; the largest is `python -m examples.shop`."""
