"""Tests of chatlog; run them with ``trial tests``."""
