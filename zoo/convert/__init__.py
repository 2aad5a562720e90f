"""Released checkpoints of others as ours: one file per source."""
