"""Alarms in the log and at a webhook."""
