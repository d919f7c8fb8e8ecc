"""`shop users import`."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shop.application.transactions.failures import OutcomeUnknown
from shop.cli.output import ExitCode, Problem
from shop.cli.running import session
from shop.domain.result import Err, Ok, Result
from shop.domain.users import NewUser, Profile
from shop.domain.values import EmailAddress, PasswordHash, PersonName, PhoneNumber

if TYPE_CHECKING:
    from shop.bootstrap.service import Shop

app = typer.Typer()

_COLUMNS = ["first_name", "last_name", "email", "phone", "password_hash"]
_BATCH = 1000


@app.command("import")
def import_users(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help=f"CSV in UTF-8: {','.join(_COLUMNS)}.")],
) -> None:
    """Register the users of a file, a thousand in a transaction, and report which lines were refused, and why: then the exit status is 1.

    An import that fails midway reports what it has done, too, and can be repeated.

    A phone number may be empty. A password's hash is in PHC form, as argon2 writes it: $argon2id$v=19$m=65536,t=3,p=4$<salt>$<hash>.
    """
    here = session(context)
    try:
        new, refused = _read(file)
    except (ValueError, OSError) as error:
        raise here.failed(Problem("usage", "Usage", 400, f"{file}: {error}", ExitCode.USAGE)) from None

    progress = _Progress(refused, not_tried=len(new))
    here.done = progress.failed

    async def work(shop: Shop) -> None:
        rest = iter(new.values())
        while batch := list(islice(rest, _BATCH)):
            progress.begin([line for line, _ in batch])
            answer = await shop.users.import_batch(here.context, [user for _, user in batch])
            match answer:
                case Ok(taken):
                    progress.imported += len(batch) - len(taken)
                    refused.extend((new[each.email.text.lower()][0], str(each)) for each in taken)
                    progress.batch = None
                case Err(error):
                    progress.is_unknown = isinstance(error, OutcomeUnknown)
                    here.value(answer)

    here.run(work)
    here.output.record(progress.record())
    if refused:
        raise typer.Exit(ExitCode.REFUSED)


@dataclass
class _Progress:
    """What an import has done so far."""

    refused: list[tuple[int, str]]
    not_tried: int
    imported: int = 0
    # The first and last line of the batch that is being imported.
    batch: tuple[int, int] | None = None
    is_unknown: bool = True

    def begin(self, lines: Sequence[int]) -> None:
        """Begin a batch, whose outcome is unknown until it is known."""
        self.batch = (lines[0], lines[-1])
        self.not_tried -= len(lines)

    def record(self) -> dict[str, object]:
        """Return what was imported and what was refused."""
        return {"imported": self.imported, "refused": [{"line": line, "reason": reason} for line, reason in sorted(self.refused)]}

    def failed(self) -> dict[str, object]:
        """Return the same of an import that failed, with the batch where that was, and how to go on."""
        how = "repeat the import of this file"
        if self.imported:
            how += f", which refuses the {self.imported} users imported so far: their addresses are taken"
        failed = None
        if self.batch is not None:
            first, last = self.batch
            failed = {"first_line": first, "last_line": last, "outcome": "unknown" if self.is_unknown else "not imported"}
            if self.is_unknown:
                how += f"; whether lines {first} to {last} are refused in this way, too, shows whether they were imported"
        return {**self.record(), "failed": failed, "not_tried": self.not_tried, "next": how}


def _read(file: Path) -> tuple[dict[str, tuple[int, NewUser]], list[tuple[int, str]]]:
    """Return the users with their lines, by address, and the refused lines with the reasons. Raises ValueError for another header."""
    new: dict[str, tuple[int, NewUser]] = {}
    refused: list[tuple[int, str]] = []
    # So that a long value is refused like any other that is invalid, and its record ends where it ends.
    limit = csv.field_size_limit(sys.maxsize)
    # What is not UTF-8 becomes lone surrogates, and concerns its record only.
    with file.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
        try:
            records = _records(text)
            if next(records, None) != (1, Ok(_COLUMNS)):
                raise ValueError(f"the first line is not {','.join(_COLUMNS)}")
            for line, row in records:
                parsed = _parsed(row.value) if isinstance(row, Ok) else row
                if isinstance(parsed, Err):
                    refused.append((line, parsed.error))
                    continue
                first, _ = new.setdefault(parsed.value.profile.email.text.lower(), (line, parsed.value))
                if first != line:
                    refused.append((line, f"the address is that of line {first}"))
        finally:
            csv.field_size_limit(limit)
    return new, refused


def _records(text: Iterable[str]) -> Iterator[tuple[int, Result[list[str], str]]]:
    """Return the records that are not blank, each with its first line."""
    reader = csv.reader(text, strict=True)
    while True:
        first = reader.line_num + 1
        try:
            row = next(reader)
            "".join(row).encode()
        except StopIteration:
            return
        except csv.Error:
            # The reader continues after the line where it found this.
            included = f"; it includes the lines to {reader.line_num}" if reader.line_num > first else ""
            yield first, Err(f"is not CSV: a quote is not closed, or not followed by a comma{included}")
        except UnicodeEncodeError:
            yield first, Err("is not UTF-8")
        else:
            if len(row) > 1 or "".join(row).strip():
                yield first, Ok(row)


def _parsed(row: list[str]) -> Result[NewUser, str]:
    if len(row) != len(_COLUMNS):
        return Err(f"has {len(row)} values, not {len(_COLUMNS)}")
    first, last, email, phone, password = row
    name, address, number = PersonName.parse(first, last), EmailAddress.parse(email), PhoneNumber.parse(phone) if phone else Ok(None)
    if isinstance(name, Err):
        return Err(str(name.error))
    if isinstance(address, Err):
        return Err(str(address.error))
    if isinstance(number, Err):
        return Err(str(number.error))
    hashed = PasswordHash.parse(password)
    if isinstance(hashed, Err):
        return Err(str(hashed.error))
    return Ok(NewUser(Profile(name.value, address.value, number.value), hashed.value))
