"""What an archive costs in a month."""
