"""Services on this machine: plain child processes, watched until healthy, stopped with their children."""
