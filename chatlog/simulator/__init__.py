"""Twitch and Kick look-alike servers on loopback, with seeded chat, scripted faults and an oracle of
what was sent. Used for the demo, as a test bed and as a load generator; never by the daemon itself."""
