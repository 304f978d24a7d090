"""Many jobs on many processes and machines, and one long clip cut into segments that any of them can draw."""
