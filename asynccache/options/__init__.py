"""Options as users write them, read and refused where they are written."""
