"""The script room: a job goes in, a standalone PyTorch program that repeats its run comes out."""
