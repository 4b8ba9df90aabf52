"""Pages and notifications over HTTP: what ``recpipe serve`` answers.  It changes no recording."""
