"""Simulated worlds (MuJoCo, extra `sim`): clips with instance masks and exact flow. No Ray, no torch, no config."""
