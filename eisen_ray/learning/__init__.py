"""Learning: the loss, one optimisation step, the schedule, metrics and checkpoints."""
