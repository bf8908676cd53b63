"""Anneal on one machine: broker, gateway and worker under one supervisor."""
