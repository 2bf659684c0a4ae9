"""What no training run tells: a few of the paper's claims, measured directly."""
