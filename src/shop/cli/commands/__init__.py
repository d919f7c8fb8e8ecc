"""One module for each command, or for each group of commands; it is imported when the command is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from typer.core import TyperGroup

from shop.cli.deferred import Deferred

COMMANDS: Final[Mapping[str, tuple[str, ...]]] = {
    "serve": ("Serve HTTP until stopped by SIGTERM or SIGINT: requests that were accepted are answered first.", "serve:serve"),
    "seed": ("Fill the database with users and orders, without events. Existing data is left alone.", "seed:seed"),
    "relay": ("Publish events from the outbox until stopped by SIGTERM or SIGINT.", "relay:relay"),
    "consume": ("Handle events until stopped by SIGTERM or SIGINT.", "consume:consume"),
    "prune": (
        "Remove messages message_retention_days after they were published or handled, old answers, and what is left of erased users.",
        "prune:prune",
    ),
    "audit": ("List the entries of the audit log, newest first.", "audit:audit"),
    "trace": (
        "Show what happened in a trace, or in all traces of an order: from the request to its effects in other processes.",
        "trace:trace",
    ),
    "health": ("Check the service and its dependencies. Exit status 0 if the service can work, else 69.", "health:health"),
    "status": (
        "Listen to the status messages for eleven seconds, and list the processes of relay and consumers that run.",
        "status:status",
    ),
    "users": ("Users.", "users:app", "import_users:app"),
    "roles": ("Roles of users: what they may do over HTTP.", "roles:app"),
    "sessions": ("Users' HTTP sessions.", "sessions:app"),
    "orders": ("Orders.", "orders:app"),
    "dead": ("List dead letters, newest first, or deal with one.", "dead:app"),
    "outbox": ("Events of the outbox.", "outbox:app"),
    "consumers": ("Consumers, as the broker knows them.", "consumers:app"),
    "projections": ("Projections of the events.", "projections:app"),
    "config": ("Settings.", "config:app"),
    "database": ("Administration of the database. DATABASE_URL is that of the owner of the tables.", "database:app"),
}
"""By name: the first paragraph of the help, where the command is, and where further commands of the group are."""


class Commands(TyperGroup):
    """The commands of the program."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, (help_text, *places) in COMMANDS.items():
            self.add_command(Deferred(name, help_text, *(f"{__name__}.{place}" for place in places)))
