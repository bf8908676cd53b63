"""Celery workers: claim a job, supervise the process that trains it, report what it says."""
