"""What to do: tiers, hold-out and exploration, the value of each action, its allocation, and when to send."""
