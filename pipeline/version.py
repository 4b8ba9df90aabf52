"""Which version of recpipe this is; packaging reads it here as well."""

VERSION = "0.1.0"
