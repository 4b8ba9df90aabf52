"""What Agora defines: its REST API, notifications, tokens and stores, and the names of files."""
