"""The suppression list: the people who opted out of being recorded."""
