"""Reads the archive: the records of a room, a time and a filter in order, with the gaps."""
