"""What two scripts of Agora do, done with a proof: files, or a folder, from format to format."""
