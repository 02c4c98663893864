"""Chatlog records livestream chat from Twitch and Kick and ships it to object storage."""

__version__ = "1.0.0"
