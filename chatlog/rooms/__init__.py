"""Rooms and the connections that carry them: which room is requested on which connection, and since when it
is recorded."""
