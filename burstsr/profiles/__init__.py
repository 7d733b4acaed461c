"""Calibration records, the user's profile folder, and their application to a burst."""
