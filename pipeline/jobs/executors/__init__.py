"""Recordings worked on by other processes and hosts, through ``concurrent.futures.Executor``."""
