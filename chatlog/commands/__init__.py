"""The commands of ``chatlog``: those of a running recorder, of a configuration, and of an archive."""
