"""Maintenance of an archive after recording: bundles, expiry, erasure, Parquet, indexes. No part of the
recorder."""
