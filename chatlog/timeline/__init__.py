"""When each room was recorded and when not: one timeline a room, that everything else asks."""
