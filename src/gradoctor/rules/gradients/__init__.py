"""Diseases of the gradient on its way through the network."""
