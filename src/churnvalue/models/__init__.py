"""Models of when customers come back, and what that is worth."""
