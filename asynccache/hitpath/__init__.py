"""What a hit runs: source written out and compiled for each function, as `dataclasses` writes `__init__`."""
