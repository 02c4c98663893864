"""The state: what the next run has to know, in files of one format."""
