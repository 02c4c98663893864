"""What the console script does besides: asking a running daemon, and trying a configuration out."""
