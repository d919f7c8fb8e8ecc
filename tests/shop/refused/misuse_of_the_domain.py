"""Code that must not type-check, next to its correct form. The marker of a line is the error code that mypy must report."""

import uuid
from typing import assert_never

from shop.domain.result import Err, Ok, Result
from shop.domain.users import EmailTaken, User, UserNotFound, UserRepository
from shop.domain.values import EmailAddress, UserId


def all_errors_handled(result: Result[User, UserNotFound | EmailTaken]) -> str:
    match result:
        case Ok(user):
            return str(user.profile.name)
        case Err(error):
            match error:
                case UserNotFound():
                    return "not found"
                case EmailTaken():
                    return "taken"
                case _:
                    assert_never(error)


def an_error_forgotten(result: Result[User, UserNotFound | EmailTaken]) -> str:
    match result:
        case Ok(user):
            return str(user.profile.name)
        case Err(error):
            match error:
                case UserNotFound():
                    return "not found"
                case _:
                    assert_never(error)  # refused: arg-type


async def a_result_looked_into(users: UserRepository, user_id: UserId) -> EmailAddress | None:
    match await users.get(user_id):
        case Ok(user):
            return user.profile.email
        case Err():
            return None


async def a_result_taken_for_its_value(users: UserRepository, user_id: UserId) -> None:
    (await users.get(user_id)).profile  # refused: union-attr


async def any_uuid_for_a_user_id(users: UserRepository) -> None:
    await users.get(UserId(uuid.uuid4()))
    await users.get(uuid.uuid4())  # refused: arg-type


async def any_text_for_an_address(users: UserRepository) -> None:
    await users.get_by_email(EmailAddress("ada@example.org"))
    await users.get_by_email("ada@example.org")  # refused: arg-type


def an_entity_changed_in_place(user: User, email: EmailAddress) -> None:
    user.profile.email = email  # refused: misc
