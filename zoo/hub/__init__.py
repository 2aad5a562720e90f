"""The model hub: checkpoints by repo_id and revision, from a server or through a client."""
