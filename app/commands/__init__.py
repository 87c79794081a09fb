"""What the command line prints and does, one subject per file."""
