"""Jobs: read, call, write. Each command of the command line is one public function here."""
