"""Stand-in declarations of extensions that the embedded server cannot have: it is built without OpenSSL and libuuid.

PostgreSQL types a call by the function's signature alone, so signature, volatility and strictness are those of the real functions. Values
are not: no query is ever executed where they are declared, and what a schema file computes with them only fills tables that no proof
reads. Only scratch databases see them. On the development database, CREATE EXTENSION fails as on any server that lacks the extension.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

VERSION = "declared"
"""The version that `pg_extension` shows for an extension that is only declared."""

_FOLDER = "stand-ins"

# Signatures by extension and volatility. VOLATILE functions return a different value at each call, since columns with such a default may
# be unique.
_FUNCTIONS = {
    "pgcrypto": {
        "IMMUTABLE STRICT": (
            "digest(text, text) RETURNS bytea",
            "digest(bytea, text) RETURNS bytea",
            "hmac(text, text, text) RETURNS bytea",
            "hmac(bytea, bytea, text) RETURNS bytea",
            "crypt(text, text) RETURNS text",
            "encrypt(bytea, bytea, text) RETURNS bytea",
            "decrypt(bytea, bytea, text) RETURNS bytea",
            "encrypt_iv(bytea, bytea, bytea, text) RETURNS bytea",
            "decrypt_iv(bytea, bytea, bytea, text) RETURNS bytea",
            "pgp_sym_decrypt(bytea, text) RETURNS text",
            "pgp_sym_decrypt(bytea, text, text) RETURNS text",
            "pgp_sym_decrypt_bytea(bytea, text) RETURNS bytea",
            "pgp_sym_decrypt_bytea(bytea, text, text) RETURNS bytea",
            "pgp_pub_decrypt(bytea, bytea) RETURNS text",
            "pgp_pub_decrypt(bytea, bytea, text) RETURNS text",
            "pgp_pub_decrypt(bytea, bytea, text, text) RETURNS text",
            "pgp_pub_decrypt_bytea(bytea, bytea) RETURNS bytea",
            "pgp_pub_decrypt_bytea(bytea, bytea, text) RETURNS bytea",
            "pgp_pub_decrypt_bytea(bytea, bytea, text, text) RETURNS bytea",
            "pgp_key_id(bytea) RETURNS text",
            "armor(bytea) RETURNS text",
            "armor(bytea, text[], text[]) RETURNS text",
            "dearmor(text) RETURNS bytea",
            "pgp_armor_headers(text, OUT key text, OUT value text) RETURNS SETOF record",
        ),
        "VOLATILE STRICT": (
            "gen_salt(text) RETURNS text",
            "gen_salt(text, int4) RETURNS text",
            "gen_random_bytes(int4) RETURNS bytea",
            "pgp_sym_encrypt(text, text) RETURNS bytea",
            "pgp_sym_encrypt(text, text, text) RETURNS bytea",
            "pgp_sym_encrypt_bytea(bytea, text) RETURNS bytea",
            "pgp_sym_encrypt_bytea(bytea, text, text) RETURNS bytea",
            "pgp_pub_encrypt(text, bytea) RETURNS bytea",
            "pgp_pub_encrypt(text, bytea, text) RETURNS bytea",
            "pgp_pub_encrypt_bytea(bytea, bytea) RETURNS bytea",
            "pgp_pub_encrypt_bytea(bytea, bytea, text) RETURNS bytea",
        ),
        "VOLATILE": ("gen_random_uuid() RETURNS uuid",),
    },
    "uuid-ossp": {
        "IMMUTABLE STRICT": (
            "uuid_nil() RETURNS uuid",
            "uuid_ns_dns() RETURNS uuid",
            "uuid_ns_url() RETURNS uuid",
            "uuid_ns_oid() RETURNS uuid",
            "uuid_ns_x500() RETURNS uuid",
            "uuid_generate_v3(namespace uuid, name text) RETURNS uuid",
            "uuid_generate_v5(namespace uuid, name text) RETURNS uuid",
        ),
        "VOLATILE STRICT": (
            "uuid_generate_v1() RETURNS uuid",
            "uuid_generate_v1mc() RETURNS uuid",
            "uuid_generate_v4() RETURNS uuid",
        ),
    },
}
_RANDOM = "pg_catalog.gen_random_uuid()"
_VALUES = {
    ("bytea", False): "''::pg_catalog.bytea",
    ("text", False): "''::pg_catalog.text",
    ("uuid", False): "'00000000-0000-0000-0000-000000000000'::pg_catalog.uuid",
    ("bytea", True): f"pg_catalog.uuid_send({_RANDOM})",
    ("text", True): f"{_RANDOM}::pg_catalog.text",
    ("uuid", True): _RANDOM,
}


def install(data: Path) -> None:
    """Write the extensions' files into a data folder, where its server finds them by `control_path`."""
    folder = data / _FOLDER / "extension"
    folder.mkdir(parents=True, exist_ok=True)
    for name, functions in _FUNCTIONS.items():
        # Trusted, like the real ones: the owner of a database may create them.
        control = f"comment = 'declarations for sqlwright'\ndefault_version = '{VERSION}'\nrelocatable = true\ntrusted = true\n"
        (folder / f"{name}.control").write_text(control, encoding="ascii")
        (folder / f"{name}--{VERSION}.sql").write_text("".join(_declarations(functions)), encoding="ascii")
    for path in (folder.parent, folder):
        path.chmod(0o755)
    for path in folder.iterdir():
        path.chmod(0o644)


def control_path(data: Path) -> str:
    """Return the `extension_control_path` that includes the stand-ins; a colon in the path would split it."""
    own = data / _FOLDER
    return "$system" if ":" in str(own) else f"$system:{own}"


def read_functions(connection: psycopg.Connection[Any]) -> dict[int, str]:
    """Read which functions belong to extensions that have stand-ins, by OID; likewise on a server that has the real extensions."""
    rows = connection.execute(
        "SELECT d.objid::int8, x.extname FROM pg_depend d JOIN pg_extension x ON x.oid = d.refobjid"
        " WHERE d.refclassid = 'pg_extension'::regclass AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e' AND x.extname = ANY (%s)",
        [list(_FUNCTIONS)],
    )
    return dict(rows.fetchall())


def explain(extension: str) -> str:
    """Return the caveat for a proof made on the embedded server, as a clause."""
    return f"the embedded PostgreSQL has no {extension}: it knows only the signatures of its functions"


def _declarations(functions: dict[str, tuple[str, ...]]) -> Iterator[str]:
    for attributes, signatures in functions.items():
        for signature in signatures:
            returned = signature.rpartition(" ")[2]
            if returned == "record":
                body = "BEGIN ATOMIC SELECT NULL::pg_catalog.text, NULL::pg_catalog.text WHERE false; END"
            else:
                body = f"RETURN {_VALUES[returned, attributes.startswith('VOLATILE')]}"
            yield f"CREATE FUNCTION {signature} LANGUAGE sql {attributes} PARALLEL SAFE {body};\n"
