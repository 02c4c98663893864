"""The directories of files that are not in the store yet, and their repair at the start."""
