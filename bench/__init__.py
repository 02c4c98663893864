"""Benchmarks that print figures; none of them passes or fails."""
