"""Recordings of Agora: started, followed, stopped, and what is remembered of them."""
