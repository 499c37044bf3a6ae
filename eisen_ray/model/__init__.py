"""The network of Section 3.1: backbone, affinities, Kaleidoscopic Propagation, Competition, regions."""
