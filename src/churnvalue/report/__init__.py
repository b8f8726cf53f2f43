"""The report: one self-contained HTML page that a manager can read."""
