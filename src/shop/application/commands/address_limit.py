"""The limit on what the clients of one address can have hashed: a hash of a password takes a processor for tens of milliseconds."""

from __future__ import annotations

from shop.application.authorisation import Action
from shop.application.commands.login_attempts import TooManyAttempts
from shop.application.commands.users import PasswordError, RegisterError, UserCommands, UserStores, login_subject, user_subject
from shop.application.context import Context
from shop.application.rates import RateLimit, network_of
from shop.application.transactions.failures import Failure
from shop.application.transactions.operation import Operation
from shop.application.transactions.runner import Transactions
from shop.domain.concurrency import Versions
from shop.domain.result import Err, Result
from shop.domain.users import Profile, User
from shop.domain.values import Password, UserId


class AddressLimit:
    """Limits the requests of an address that may have a password hashed, whatever they do: all count together."""

    def __init__(self, transactions: Transactions[UserStores], rates: RateLimit) -> None:
        self._transactions = transactions
        self._rates = rates

    async def refusal(self, context: Context, action: str, subject: str) -> Err[TooManyAttempts | Failure] | None:
        """Count a request and return None if the limit allows it; otherwise record the refusal, and return it."""
        wait = await self._rates.hit(network_of(context.address))
        if wait is None:
            return None
        blocked = TooManyAttempts(wait)

        async def work(operation: Operation[UserStores]) -> Result[None, TooManyAttempts]:
            await operation.refused(subject, blocked, limit="origin")
            return Err(blocked)

        recorded = await self._transactions.run(context, action, work)
        return recorded if isinstance(recorded, Err) else Err(blocked)


class LimitedUsers:
    """Registration and changes of the password, for clients of the network. Their logins count under the same limit."""

    def __init__(self, users: UserCommands, limit: AddressLimit) -> None:
        self._users = users
        self._limit = limit

    async def register(
        self, context: Context, profile: Profile, password: Password
    ) -> Result[User, TooManyAttempts | RegisterError | Failure]:
        """Register a user."""
        refused = await self._limit.refusal(context, Action.REGISTER, login_subject(profile.email))
        return await self._users.register(context, profile, password) if refused is None else refused

    async def change_password(
        self, context: Context, user_id: UserId, old: str, new: Password, versions: Versions = None
    ) -> Result[None, PasswordError | Failure]:
        """Replace a user's password, if the old one is right, with `versions` only if the current one is still among them."""
        refused = await self._limit.refusal(context, Action.CHANGE_PASSWORD, user_subject(user_id))
        return await self._users.change_password(context, user_id, old, new, versions) if refused is None else refused
