"""What the loss function is given."""
