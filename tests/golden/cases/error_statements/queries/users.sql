-- name: CopyOut :exec
COPY users TO STDOUT;

-- name: CountNothing :execrows
TRUNCATE users;

-- The rule makes an UPDATE of it, and so PostgreSQL returns nothing.
-- name: DeleteKept :many
DELETE FROM kept RETURNING id;
