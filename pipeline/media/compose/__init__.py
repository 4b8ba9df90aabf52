"""One picture of everyone: who stands where on the canvas, and when."""
