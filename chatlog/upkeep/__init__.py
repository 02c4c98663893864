"""What is done to an archive afterwards: no part of the recorder."""
