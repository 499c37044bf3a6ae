"""Unsupervised object segmentation learned from video motion (EISEN), as a Ray-distributed trainer."""

__version__ = "0.1.0"
