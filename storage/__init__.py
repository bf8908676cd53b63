"""SQL, files and the broker: what is kept, and who may have it."""
