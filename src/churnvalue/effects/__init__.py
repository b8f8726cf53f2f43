"""What an action changes: learned from experiments where there are any, assumed and labelled so where there are none."""
