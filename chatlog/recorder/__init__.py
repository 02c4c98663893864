"""From a record to bytes that are on the disk: the only writer of files, its ticks and its commits."""
