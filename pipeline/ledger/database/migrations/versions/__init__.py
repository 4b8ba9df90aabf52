"""One module per version of the tables; one that was released is never edited."""
