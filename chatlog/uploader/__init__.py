"""Finished files into the store: packed, put, verified, listed in a manifest, and only then removed."""
