"""What the algorithm needs to know of a camera and of a hand, measured: noise, motion, sharpness. Holds nothing yet."""
