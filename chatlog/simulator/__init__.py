"""Look-alikes of the Twitch and Kick servers on loopback, for the demo, tests and benchmarks."""
