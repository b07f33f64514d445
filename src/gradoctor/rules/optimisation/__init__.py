"""Diseases of the step: learning rate and stability."""
