"""The index: where people wrote and words were said, as Parquet, so that a search reads little. Needs
DuckDB."""
