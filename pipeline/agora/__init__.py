"""What Agora defines: the file-name grammar."""
