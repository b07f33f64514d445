"""Numbers that break, vanish or are lost."""
