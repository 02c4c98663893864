"""The state of coverage on the disk: until when each room was recorded, and which gaps are open."""
