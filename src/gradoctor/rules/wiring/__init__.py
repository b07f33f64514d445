"""Who gets gradients, who is stepped, and in what order."""
