"""Azure Blob Storage and Google Cloud Storage.  The only room that imports obstore."""
