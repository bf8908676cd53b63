"""The commands below `anneal`, a file for each noun."""
