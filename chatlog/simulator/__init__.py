"""Simulated Twitch and Kick servers on loopback, with seeded chat, scripted faults and an oracle of
everything sent. Used by the demo, the tests and the benchmarks; the recorder never imports it."""
