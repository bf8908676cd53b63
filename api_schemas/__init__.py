"""The contract: what a client may say to Anneal, what it hears, and the arithmetic both sides agree on."""
