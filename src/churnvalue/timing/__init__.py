"""When: the hour of the week a customer is active, and the hours in which a message may go out."""
