"""What all connections share: paced reading, TLS, and one GET over HTTP."""
