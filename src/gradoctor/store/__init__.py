"""The run file: frames, sites and facts in SQLite."""
