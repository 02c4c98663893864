"""From a record to bytes on the disk: buffers of rooms, the writer of files, ticks and commits."""
