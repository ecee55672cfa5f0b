"""Values as bytes and back, one format a file. Each reads bytes that nobody vouches for, and runs no code of theirs."""
