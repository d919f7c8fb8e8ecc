"""The problems of the expected errors of all commands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from shop.application.authorisation import NotAllowed
from shop.application.commands.login_attempts import TooManyAttempts
from shop.application.commands.sessions import SessionEnded, SessionNotFound, SessionsUnavailable
from shop.application.commands.users import TooManyAddressChanges, WrongCredentials
from shop.application.messaging.dead_letters import ReplayFailed
from shop.application.messaging.retirement import BrokerLost, ConsumerNotFound
from shop.application.reads.cursors import InvalidCursor
from shop.application.reads.dead_letters import DeadLetterNotFound
from shop.application.transactions.answers import AlreadyAnswered, KeyInUse, KeyReused
from shop.application.transactions.failures import OutcomeUnknown, TooMuchContention, Unavailable
from shop.cli.output import ExitCode, Problem
from shop.domain.concurrency import ChangedMeanwhile
from shop.domain.orders import OrderNotFound, UnacceptableOrder, WrongStatus
from shop.domain.users import EmailTaken, UserHasOrders, UserNotFound
from shop.domain.values import InvalidValue

# By class: the HTTP status (which RFC 9457 requires), and the exit code.
_PROBLEMS: Final[Mapping[type[object], tuple[int, ExitCode]]] = {
    InvalidValue: (422, ExitCode.USAGE),
    InvalidCursor: (400, ExitCode.USAGE),
    UnacceptableOrder: (422, ExitCode.USAGE),
    UserNotFound: (404, ExitCode.REFUSED),
    OrderNotFound: (404, ExitCode.REFUSED),
    EmailTaken: (409, ExitCode.REFUSED),
    ChangedMeanwhile: (409, ExitCode.REFUSED),
    UserHasOrders: (409, ExitCode.REFUSED),
    BrokerLost: (503, ExitCode.UNAVAILABLE),
    ConsumerNotFound: (404, ExitCode.REFUSED),
    DeadLetterNotFound: (404, ExitCode.REFUSED),
    ReplayFailed: (422, ExitCode.REFUSED),
    WrongStatus: (409, ExitCode.REFUSED),
    WrongCredentials: (401, ExitCode.REFUSED),
    NotAllowed: (403, ExitCode.REFUSED),
    SessionEnded: (401, ExitCode.REFUSED),
    SessionNotFound: (404, ExitCode.REFUSED),
    SessionsUnavailable: (503, ExitCode.UNAVAILABLE),
    TooManyAddressChanges: (429, ExitCode.TRY_AGAIN),
    TooManyAttempts: (429, ExitCode.TRY_AGAIN),
    Unavailable: (503, ExitCode.UNAVAILABLE),
    TooMuchContention: (503, ExitCode.TRY_AGAIN),
    OutcomeUnknown: (500, ExitCode.TRY_AGAIN),
    AlreadyAnswered: (409, ExitCode.REFUSED),
    KeyInUse: (409, ExitCode.TRY_AGAIN),
    KeyReused: (422, ExitCode.REFUSED),
}


def problem_of(error: object) -> Problem:
    """Return the problem of an expected error. Raises TypeError for an unknown error, which is a defect in the program."""
    if type(error) not in _PROBLEMS:
        raise TypeError(f"no problem is defined for {error!r}")
    status, code = _PROBLEMS[type(error)]
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).lower()
    return Problem(words.replace(" ", "-"), words.capitalize(), status, str(error), code)
