"""The nouns everything stands on: frames and bursts, noise, coordinates, errors, compiled loops. Imports nothing of burstsr but itself."""
