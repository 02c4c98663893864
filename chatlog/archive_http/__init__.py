"""The archive over HTTP: the API of rustlog and justlog, of recent-messages, and one of our own."""
