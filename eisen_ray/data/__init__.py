"""Video in, clips and fragments out: readers for the formats people have, and the rows that are stored.

numpy, pyarrow, fsspec, PyAV, Pillow and OpenCV only; no torch, no Ray, no config.
"""
