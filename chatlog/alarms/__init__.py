"""What is wrong, in words that stay the same: conditions, the alarms in the log, and the webhook."""
