"""What a watched Python loads before the script; see docs/architecture.md."""
