"""The Ray system: stages, pools, the distributed student, the driver of the rounds. Only here is Ray imported."""
