"""Speed, as ratios of what the physics engine itself does in the same run on the same machine."""
