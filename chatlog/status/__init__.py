"""The state of the recorder, for the page, the API, the health checks and the alarms."""
