"""The directories of files that are not in the store yet, and what is mended in them at a start."""
