"""The archive over HTTP: the APIs of rustlog, justlog and recent-messages, and one of our own."""
