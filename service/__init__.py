"""The gateway: FastAPI routes, one file a noun."""
