"""Bring the database of the environment up to date: `python -m storage.migrations`."""

from storage.migrations import upgrade
from storage.settings import Settings

if __name__ == "__main__":
    upgrade(Settings().database)
