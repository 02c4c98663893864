"""``chatlog verify``: checks that an archive is complete and unaltered."""
