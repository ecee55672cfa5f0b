"""Values as bytes and back, one format a file, and what stands around them in stores.

Each format reads bytes that nobody vouches for, and runs no code of theirs. Pickle does, so it asks for signed records.
"""
