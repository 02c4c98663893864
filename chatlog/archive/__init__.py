"""The archive read back: a room, a time and a filter to records in order, with what is missing of them."""
