"""What the commands do and print: each module is used by one command, and by who wants its result in Python."""
