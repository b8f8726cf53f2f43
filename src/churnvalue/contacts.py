"""What was done to whom: offers, calls and messages, with the experiment they belong to."""
