"""All repositories of a unit of work: a new aggregate is added here, and nowhere else in this folder but in its own module."""

from __future__ import annotations

from shop.application.transactions.unit_of_work import CollectedEvents
from shop.infrastructure.postgres.connection import Connection
from shop.infrastructure.postgres.queries import Queries
from shop.infrastructure.postgres.transactions.answers import PostgresAnswers
from shop.infrastructure.postgres.transactions.dead_letters import PostgresDeadLetterRepository
from shop.infrastructure.postgres.transactions.erasures import PostgresErasures
from shop.infrastructure.postgres.transactions.login_attempts import PostgresLoginAttempts
from shop.infrastructure.postgres.transactions.orders import PostgresOrderRepository
from shop.infrastructure.postgres.transactions.projections import PostgresProjections
from shop.infrastructure.postgres.transactions.recipients import PostgresRecipients
from shop.infrastructure.postgres.transactions.sales_ledger import PostgresSalesLedger
from shop.infrastructure.postgres.transactions.seeds import PostgresSeedRepository
from shop.infrastructure.postgres.transactions.settled_messages import PostgresSettledMessages
from shop.infrastructure.postgres.transactions.users import PostgresUserRepository


class PostgresRepositories:
    """The repositories on one connection."""

    def __init__(self, conn: Connection, queries: Queries, events: CollectedEvents) -> None:
        self.users = PostgresUserRepository(queries, events)
        self.orders = PostgresOrderRepository(queries, events)
        self.logins = PostgresLoginAttempts(queries)
        self.seeds = PostgresSeedRepository(queries)
        self.messages = PostgresSettledMessages(queries)
        self.old_answers = PostgresAnswers(queries)
        self.erasures = PostgresErasures(queries)
        self.dead_letters = PostgresDeadLetterRepository(queries)
        self.sales = PostgresSalesLedger(queries)
        self.recipients = PostgresRecipients(queries)
        self.projections = PostgresProjections(conn, queries)
