"""Basic types and functions: frames and bursts, noise, coordinates, errors, compiled loops. Imports nothing else of burstsr."""
