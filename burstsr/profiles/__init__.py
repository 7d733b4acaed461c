"""What calibration measured: records, the user's folder of them, and applying them to a burst."""
