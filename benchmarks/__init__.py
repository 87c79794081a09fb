"""Figures, printed as tables with ratios; never timed tests."""
