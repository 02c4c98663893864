"""Imports chat of other recorders into an archive: reads it, compares it with the archive, and stores the
rest."""
