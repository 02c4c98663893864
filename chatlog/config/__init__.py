"""chatlog.yaml to settings: its keys, their values, its lines, and what is wrong with it."""
