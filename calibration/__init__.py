"""What the algorithm needs to know of a camera and of a hand, measured: noise, defects, the lens's blur, motion. `burstsr calibrate` is its command line.

Results are frozen records (`burstsr.profiles.records`), written as JSON or TOML and read back equal; `burstsr process` takes them from files or from the
user's folder of profiles (`burstsr.profiles.folder`). Uses burstsr; burstsr reaches it from its command line only.
"""
