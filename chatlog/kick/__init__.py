"""Kick: its chat comes over Pusher, JSON in text frames of a WebSocket."""
