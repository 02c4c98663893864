"""When each room was recorded and when not: one timeline for each room."""
