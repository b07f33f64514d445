"""What is known, as data. Standard library only."""
