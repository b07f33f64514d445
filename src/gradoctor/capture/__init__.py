"""Capture: turns a running model into frames. The only room that touches the user's torch."""
