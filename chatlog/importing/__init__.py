"""Chat that others recorded, taken into an archive: read, compared with what is there, and stored."""
