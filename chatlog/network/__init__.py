"""What all connections share: every address of a name, proxies, TLS, paced reading, the HTTP client."""
