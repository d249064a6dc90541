"""Effects of the commands that are sent while something is broken: counted, and reported as text."""
