"""What the next run has to know, on the disk: how far each room was recorded, and which holes are open."""
