"""Real S3 servers: how they are installed and started, and what each of them is put through."""
