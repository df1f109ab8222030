"""What makes a game run: the compiled step, the loop over it, checkpoints, devices. jit and donation live here."""
