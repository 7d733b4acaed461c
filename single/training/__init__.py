"""Training: a plan, a loop that can be interrupted and resumed at any step, and weights with their metadata."""
