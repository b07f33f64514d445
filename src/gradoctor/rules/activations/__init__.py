"""Diseases of activations and of what they represent."""
