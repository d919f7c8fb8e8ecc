-- Count an attempt to log in, and return how many the period has now and how many of its seconds are left.
-- A period begins with the first attempt after the last one.
-- name: CountLoginAttempt :one
INSERT INTO login_attempts AS known (login, attempts)
VALUES (@login, 1)
ON CONFLICT (login) DO UPDATE
SET attempts = CASE WHEN known.since <= now() - sqlc.arg('period')::interval THEN 1 ELSE known.attempts + 1 END,
    since = CASE WHEN known.since <= now() - sqlc.arg('period')::interval THEN now() ELSE known.since END
RETURNING attempts, extract(epoch FROM since + sqlc.arg('period')::interval - now())::float8 AS seconds_left;

-- Get how many seconds are left of the period of a login that was tried so often in it. No row where it was not.
-- name: GetBlockedLogin :one
SELECT extract(epoch FROM since + sqlc.arg('period')::interval - now())::float8 AS seconds_left
FROM login_attempts
WHERE login = @login AND attempts >= @attempts AND since > now() - sqlc.arg('period')::interval;

-- Remove logins whose period is over, oldest first. One that another transaction is writing is left alone.
-- name: RemoveOldLoginAttempts :execrows
DELETE FROM login_attempts
WHERE login IN (
    SELECT login FROM login_attempts
    WHERE since <= now() - sqlc.arg('period')::interval
    ORDER BY since
    LIMIT @at_most
    FOR UPDATE SKIP LOCKED
);

-- Forget the attempts of a login that has succeeded.
-- name: ForgetLoginAttempts :execrows
DELETE FROM login_attempts
WHERE login = @login;
