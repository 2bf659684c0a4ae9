"""Estimation from simulation: trajectories, returns, baselines, normalisation."""
