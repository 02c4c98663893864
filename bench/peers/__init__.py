"""The recorder beside libraries that read Twitch chat, on the same load: ``python -m bench.peers``."""
