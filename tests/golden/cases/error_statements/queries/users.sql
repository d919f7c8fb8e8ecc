-- name: CopyOut :exec
COPY users TO STDOUT;

-- name: CountNothing :execrows
TRUNCATE users;
