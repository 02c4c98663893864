"""Networking for all connections: names and addresses, proxies, TLS, paced reading, the HTTP client."""
