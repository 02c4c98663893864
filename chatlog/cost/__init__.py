"""Computes what an archive costs in a month."""
