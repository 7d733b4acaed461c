"""Calibration of a camera and of hand motion: noise, defects, lens blur, motion. `burstsr calibrate` is its command line.

Results are frozen records (`burstsr.profiles.records`), written as JSON or TOML and read back equal; `burstsr process` reads them from files or from the
user's profile folder (`burstsr.profiles.folder`). Uses burstsr; burstsr imports it from the command line only.
"""
