"""Reads chatlog.yaml into settings, and explains what is wrong with it."""
