"""The only door to ffmpeg: find the binaries, build command lines, run them."""
