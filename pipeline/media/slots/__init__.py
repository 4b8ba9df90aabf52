"""What every slot of the playlist holds: believed, told apart, put right; nothing has a place."""
