"""Other methods on the same data, a file each, thin over well-kept libraries. torch and numpy; no Ray, no config."""
