"""Measures of segmentation: pure functions on label maps, whatever made them. numpy and scipy only."""
