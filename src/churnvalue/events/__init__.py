"""From sources as they come to one validated, sorted log of events."""
