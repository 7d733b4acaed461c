"""Benchmarks. Part of a clone, not of the wheel; `burstsr benchmark` runs them."""
