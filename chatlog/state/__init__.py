"""What the next run has to know, on the disk: files of one format."""
