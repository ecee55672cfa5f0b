"""Where bytes are kept outside of this process: one contract, one driver a file."""
