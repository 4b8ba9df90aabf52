"""Where every segment belongs in time, and what tells so: the plan."""
