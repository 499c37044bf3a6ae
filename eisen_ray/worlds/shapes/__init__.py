"""Procedural objects: triangle meshes made from numbers, no asset files."""
