"""Anneal's client: the Python SDK and the `anneal` command."""

from client.api import AsyncClient, Client
from client.errors import UnexpectedAnswer, Unreachable, WaitTimeout
from client.jobs import Curve

__all__ = ["AsyncClient", "Client", "Curve", "UnexpectedAnswer", "Unreachable", "WaitTimeout"]
