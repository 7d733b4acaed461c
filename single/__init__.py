"""The fallback when there is no usable burst: learned super-resolution of one frame (SRCNN, SRGAN, ESRGAN, Zoom to Learn). Holds nothing yet."""
