"""File formats: raw frames in (`raw`, `discover`), DNG out (`dng`), display images in and out (`images`, `display`)."""
