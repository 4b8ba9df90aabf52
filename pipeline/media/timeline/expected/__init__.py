"""What a playlist and the names of its slices promise: when segments begin, how long they last."""
