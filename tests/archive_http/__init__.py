"""The archive server."""
