"""What the public clients of log servers ask for, asked of the archive server. ``.ci/clients`` runs it."""
