"""Rooms and the connections that carry them: who is asked for where, and what was recorded since when."""
