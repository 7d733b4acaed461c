"""The only room that knows file formats: raw frames in (`raw`, `discover`), DNG out (`dng`), display pictures in and out (`picture`)."""
