"""Diseases of the data and of its order."""
