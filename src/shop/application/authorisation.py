"""Who may do what: one table for all use cases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shop.application.context import Actor
from shop.domain.users import Role
from shop.domain.values import UserId


class Action(StrEnum):
    """The actions that actors may be allowed, as named in the audit log."""

    REGISTER = "user.register"
    IMPORT_USERS = "user.import"
    SHOW_USER = "user.show"
    LIST_USERS = "user.list"
    FIND_USERS = "user.find"
    ACT_AS = "user.act_as"
    UPDATE_PROFILE = "user.update_profile"
    CHANGE_PASSWORD = "user.change_password"  # noqa: S105 a name
    LIST_SESSIONS = "session.list"
    END_SESSION = "session.end"
    END_SESSIONS = "user.end_sessions"
    DELETE_USER = "user.delete"
    ERASE_USER = "user.erase"
    GRANT_ROLE = "user.grant"
    PLACE_ORDER = "order.place"
    SHOW_ORDER = "order.show"
    LIST_ORDERS = "order.list"
    FIND_ORDERS = "order.find"
    PAY_ORDER = "order.pay"
    SHIP_ORDER = "order.ship"
    CANCEL_ORDER = "order.cancel"
    SHOW_SALES = "sales.show"
    READ_AUDIT_LOG = "audit.read"
    READ_DEAD_LETTERS = "messages.read"
    RETIRE_CONSUMER = "consumer.retire"


class Who(StrEnum):
    """An actor's relation to what the action is about: anyone, its owner, or a role."""

    ANYONE = "anyone"
    SELF = "self"
    CLERK = "clerk"
    ADMIN = "admin"


_SELF_OR_STAFF = frozenset({Who.SELF, Who.CLERK, Who.ADMIN})
_SELF_OR_ADMIN = frozenset({Who.SELF, Who.ADMIN})
_STAFF = frozenset({Who.CLERK, Who.ADMIN})

POLICIES: Final[Mapping[Action, frozenset[Who]]] = {
    Action.REGISTER: frozenset({Who.ANYONE}),
    Action.IMPORT_USERS: frozenset({Who.ADMIN}),
    Action.SHOW_USER: _SELF_OR_STAFF,
    Action.LIST_USERS: _STAFF,
    Action.FIND_USERS: _STAFF,
    Action.ACT_AS: frozenset({Who.ADMIN}),
    Action.UPDATE_PROFILE: _SELF_OR_ADMIN,
    Action.CHANGE_PASSWORD: _SELF_OR_ADMIN,
    Action.LIST_SESSIONS: _SELF_OR_ADMIN,
    Action.END_SESSION: _SELF_OR_ADMIN,
    Action.END_SESSIONS: _SELF_OR_ADMIN,
    Action.DELETE_USER: _SELF_OR_ADMIN,
    Action.ERASE_USER: _SELF_OR_ADMIN,
    Action.GRANT_ROLE: frozenset({Who.ADMIN}),
    Action.PLACE_ORDER: _SELF_OR_STAFF,
    Action.SHOW_ORDER: _SELF_OR_STAFF,
    Action.LIST_ORDERS: _SELF_OR_STAFF,
    Action.FIND_ORDERS: _STAFF,
    Action.PAY_ORDER: _SELF_OR_STAFF,
    Action.SHIP_ORDER: _STAFF,
    Action.CANCEL_ORDER: _SELF_OR_STAFF,
    Action.SHOW_SALES: _STAFF,
    Action.READ_AUDIT_LOG: frozenset({Who.ADMIN}),
    Action.READ_DEAD_LETTERS: frozenset({Who.ADMIN}),
    Action.RETIRE_CONSUMER: frozenset({Who.ADMIN}),
}
"""Who may perform each action. What is not in an entry is refused."""


@dataclass(frozen=True, slots=True)
class NotAllowed:
    """The actor may not do this; `anonymous` actors may log in first."""

    action: Action
    anonymous: bool

    def __str__(self) -> str:
        return f"{self.action} requires a login" if self.anonymous else f"this user may not do {self.action}"


def refusal(actor: Actor, action: Action, owner: UserId | None = None) -> NotAllowed | None:
    """Return None if the actor may perform the action on what `owner` owns, else why not."""
    return None if _relations(actor, owner) & POLICIES[action] else NotAllowed(action, anonymous=actor.role is None)


def sees_order(actor: Actor, owner: UserId) -> bool:
    """Return whether an actor may know of an order. For others there is no such order, whatever they ask about it."""
    return refusal(actor, Action.SHOW_ORDER, owner) is None


def _relations(actor: Actor, owner: UserId | None) -> set[Who]:
    relations = {Who.ANYONE}
    if actor.user_id is not None and actor.user_id == owner:
        relations.add(Who.SELF)
    match actor.role:
        case Role.CLERK:
            relations.add(Who.CLERK)
        case Role.ADMIN:
            relations.add(Who.ADMIN)
        case Role.CUSTOMER | None:
            pass
    return relations
