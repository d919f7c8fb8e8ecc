"""`python -m shop.demo`, with DATABASE_URL set to a migrated database.

Redis and NATS are started for the duration of the demo, and no other setting is read, from wherever: nothing of another environment is
touched. It can be repeated: a second run continues with the users of the first.
Exit status: 0 success; 1 the database is not ready, or a step had an unexpected outcome; 2 DATABASE_URL is not set or invalid;
130 stopped by Ctrl-C.
"""

from __future__ import annotations

import sys

from shop.cli import starting


def main() -> int:
    """Run the demo, and return the exit status."""
    starting.begin()
    starting.find_no_plugins()
    from shop.demo.program import run

    starting.end()
    return run()


if __name__ == "__main__":
    sys.exit(main())
