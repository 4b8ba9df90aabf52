"""The bodies of requests: every field and rule that Agora's REST reference documents."""
