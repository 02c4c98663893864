"""Days of the archive as Parquet, for analysis and quick questions. Needs ``chatlog[archive]`` (DuckDB)."""
