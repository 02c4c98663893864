"""How the recorder is: the facts that the page, the API, the health checks and the alarms are made of."""
