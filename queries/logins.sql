-- Count an attempt to log in, and return the number of attempts in the period and the seconds until its end.
-- A period begins with the first attempt after the end of the previous one.
-- name: CountLoginAttempt :one
INSERT INTO login_attempts AS known (login, attempts)
VALUES (@login, 1)
ON CONFLICT (login) DO UPDATE
SET attempts = CASE WHEN known.since <= now() - sqlc.arg('period')::interval THEN 1 ELSE known.attempts + 1 END,
    since = CASE WHEN known.since <= now() - sqlc.arg('period')::interval THEN now() ELSE known.since END
RETURNING attempts, extract(epoch FROM since + sqlc.arg('period')::interval - now())::float8 AS seconds_left;

-- Get the seconds until the end of the period of a login with at least this number of attempts. Returns no row for fewer attempts.
-- name: GetBlockedLogin :one
SELECT extract(epoch FROM since + sqlc.arg('period')::interval - now())::float8 AS seconds_left
FROM login_attempts
WHERE login = @login AND attempts >= @attempts AND since > now() - sqlc.arg('period')::interval;

-- Remove logins whose period has ended, oldest first, except those locked by other transactions.
-- name: RemoveOldLoginAttempts :execrows
DELETE FROM login_attempts
WHERE login IN (
    SELECT login FROM login_attempts
    WHERE since <= now() - sqlc.arg('period')::interval
    ORDER BY since
    LIMIT @at_most
    FOR UPDATE SKIP LOCKED
);

-- Reset the attempts of a login after a success.
-- name: ForgetLoginAttempts :execrows
DELETE FROM login_attempts
WHERE login = @login;
