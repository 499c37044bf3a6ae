"""Procedural colours and textures."""
