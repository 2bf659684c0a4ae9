"""Running: folders, checkpoints, rows, the loop."""
