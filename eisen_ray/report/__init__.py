"""What a run looks like to a reader: coloured panels, contact sheets and tables of scores. No torch, no Ray."""
