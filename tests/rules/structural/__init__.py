"""Structural and numerical rules on plain recordings."""
