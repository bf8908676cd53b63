"""A worker process: `python -m worker`.

Every trainer imports this module again when it is forked, so it imports nothing at the top.
"""

if __name__ == "__main__":
    from worker.main import run

    run()
