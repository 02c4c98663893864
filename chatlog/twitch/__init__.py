"""Twitch chat over IRC: lines, messages, records, connections and rooms."""
