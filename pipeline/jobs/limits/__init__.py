"""What may run at the same time, and what it may use: recordings, processes, memory, disks."""
