"""``chatlog verify``: whether an archive is whole."""
