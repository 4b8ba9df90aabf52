"""The bodies of requests, every documented field and rule of them."""
