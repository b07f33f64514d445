"""Learning-rate schedules and clipping."""
