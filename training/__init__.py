"""The training room: a spec goes in, points come out."""
