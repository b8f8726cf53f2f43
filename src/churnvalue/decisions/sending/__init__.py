"""When each message goes out, over which channel, or why not."""
