"""Figures and tables from stored results alone."""
