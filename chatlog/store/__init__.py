"""Where objects go: S3 and its like, or a directory."""
