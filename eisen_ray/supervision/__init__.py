"""Section 3.2 of the paper: where the student's targets come from. Torch only."""
