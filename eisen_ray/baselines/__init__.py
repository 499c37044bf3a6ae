"""Other methods on the same data, each in one file, thin over a well-kept library. torch and numpy; no Ray, no config."""
