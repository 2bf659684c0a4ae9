"""The command line: thin entry points that import what they need when they need it."""
