"""Uploads finished files: packs, puts and verifies each, lists it in a manifest, and only then removes it."""
