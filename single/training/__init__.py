"""Training: a plan, a loop that can be stopped and gone on with at any step, and weights that know what they are."""
