"""Bad outcomes: what the other diseases lead to."""
