"""Four ordinary networks: each module has ``model()``, ``batch(generator)`` and ``loss(...)``."""
