"""What the program is measured by. Part of a clone, not of the wheel; `burstsr benchmark` runs it."""
