-- Register a user. The database generates the id and both timestamps.
-- name: CreateUser :one
INSERT INTO users (first_name, last_name, email, phone, password)
VALUES (@first_name, @last_name, @email, sqlc.narg('phone'), @password)
RETURNING id, first_name, last_name, email, phone, password, created_at, updated_at, version, role, erased_at, session_generation, email_since, email_by_user;

-- Get a user by id.
-- name: GetUser :one
SELECT id, first_name, last_name, email, phone, password, created_at, updated_at, version, role, erased_at, session_generation, email_since, email_by_user
FROM users
WHERE id = @id AND erased_at IS NULL;

-- Get a user by e-mail address, in any case.
-- name: GetUserByEmail :one
SELECT id, first_name, last_name, email, phone, password, created_at, updated_at, version, role, erased_at, session_generation, email_since, email_by_user
FROM users
WHERE lower(email) = lower(@email);

-- Change the given parts of a user's profile, and return the user as stored. Returns no row if the user has another version or does not
-- exist.
-- name: UpdateUserProfile :one
-- @patch
UPDATE users
SET first_name = @first_name,
    last_name = @last_name,
    email = @email,
    email_by_user = @email_by_user,
    phone = sqlc.narg('phone'),
    updated_at = greatest(updated_at, now()),
    version = version + 1
WHERE id = @id AND version = @version
RETURNING id, first_name, last_name, email, phone, password, created_at, updated_at, version, role, erased_at, session_generation, email_since, email_by_user;

-- Replace a user's password hash, and end all sessions with a new password, none with a new hash of the same one. Changes no row if the user
-- has another version or does not exist.
-- name: UpdateUserPassword :execrows
UPDATE users
SET password = @password,
    session_generation = CASE
        WHEN @is_rehashed::boolean THEN session_generation
        ELSE greatest(session_generation + 1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)
    END,
    updated_at = greatest(updated_at, now()),
    version = version + 1
WHERE id = @id AND version = @version;

-- Set a user's role. Changes no row if the user has another version or does not exist.
-- name: UpdateUserRole :execrows
UPDATE users
SET role = @role,
    updated_at = greatest(updated_at, now()),
    version = version + 1
WHERE id = @id AND version = @version;

-- End all sessions of a user, by a generation that no other server has given out, as a former primary may have done. Changes no row if no user
-- has the id.
-- name: EndUserSessions :execrows
UPDATE users
SET session_generation = greatest(session_generation + 1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)
WHERE id = @id AND erased_at IS NULL;

-- Get what decides about each request of a user: the role, and the generation of the sessions that are open.
-- name: GetUserStanding :one
SELECT role, session_generation
FROM users
WHERE id = @id AND erased_at IS NULL;

-- Get a user as shown to its owner, without the password.
-- name: GetUserSummary :one
SELECT id, first_name, last_name, email, phone, created_at, updated_at, version, role
FROM users
WHERE id = @id AND erased_at IS NULL;

-- Get how to write to a user about something that occurred within this time. Returns no row for something older, and for a user whose
-- personal data were erased.
-- name: GetRecipient :one
SELECT email
FROM users
WHERE id = @id AND erased_at IS NULL AND @occurred_at::timestamptz > now() - @within::interval;

-- Get how to write to a user at the address that was replaced at this time, which is that of the event. Returns no row if it was not the
-- address that changed, or for something older.
-- name: GetFormerRecipient :one
SELECT former_addresses.address
FROM former_addresses
JOIN users ON users.id = former_addresses.user_id
WHERE former_addresses.user_id = @id
  AND former_addresses.replaced_at = @occurred_at
  AND former_addresses.replaced_at > now() - @within::interval
LIMIT 1;

-- Count the changes of a user's address by the user within a period, and get the seconds until the first of them is older.
-- name: CountAddressChanges :one
SELECT
    count(*) FILTER (WHERE by_user) AS changes,
    coalesce(extract(epoch FROM min(replaced_at) FILTER (WHERE by_user) + sqlc.arg('period')::interval - now()), 0)::float8 AS seconds_left
FROM former_addresses
WHERE user_id = @id AND replaced_at > now() - sqlc.arg('period')::interval;

-- Get the public profiles of the users with these ids, in no particular order. An unknown id has no row.
-- name: GetPublicProfiles :many
SELECT id, first_name, last_name
FROM users
WHERE id = ANY(@ids::uuid[]) AND erased_at IS NULL;

-- List users by registration, oldest first, without their passwords. A page starts after the key (after_created_at, after_id) of the
-- previous page's last row; both are NULL for the first page.
-- name: ListUsers :many
SELECT id, first_name, last_name, email, phone, created_at, updated_at, version, role
FROM users
WHERE (created_at, id) > (
    coalesce(sqlc.narg('after_created_at')::timestamptz, '-infinity'),
    coalesce(sqlc.narg('after_id')::uuid, '00000000-0000-0000-0000-000000000000')
)
  AND erased_at IS NULL
ORDER BY created_at, id
LIMIT @page_size;

-- Find users as a clerk searches them, without their passwords, oldest first unless another order is chosen. A filter that is left out does
-- not apply: how the last name and how the e-mail address begin, in any case, one of these roles, and when the user registered (since
-- included, before excluded).
-- name: FindUsers :many
-- @page
-- @optional last_name, email, roles, registered_since, registered_before
-- @order oldest
-- @order newest: users.created_at DESC, users.id DESC
SELECT id, first_name, last_name, email, phone, created_at, updated_at, version, role
FROM users
WHERE starts_with(lower(users.last_name), lower(@last_name))
  AND starts_with(lower(users.email), lower(@email))
  AND users.role = ANY(@roles::user_role[])
  AND users.created_at >= @registered_since
  AND users.created_at < @registered_before
  AND users.erased_at IS NULL
ORDER BY users.created_at, users.id
LIMIT @page_size;

-- Search users for a part of "first last address", in any case, with the filters and orders of FindUsers. The matches are collected first: to
-- walk through all users in their order until there are enough matches would not use the index of trigrams.
-- name: SearchUsers :many
-- @page
-- @optional last_name, email, roles, registered_since, registered_before
-- @order oldest
-- @order newest: matching.created_at DESC, matching.id DESC
WITH matching AS MATERIALIZED (
    SELECT id, first_name, last_name, email, phone, created_at, updated_at, version, role
    FROM users
    WHERE lower(first_name || ' ' || last_name || ' ' || email)
        LIKE '%' || regexp_replace(lower(@part::text), '([\\%_])', '\\\1', 'g') || '%'
      AND starts_with(lower(last_name), lower(@last_name))
      AND starts_with(lower(email), lower(@email))
      AND role = ANY(@roles::user_role[])
      AND created_at >= @registered_since
      AND created_at < @registered_before
      AND erased_at IS NULL
)
SELECT matching.id, matching.first_name, matching.last_name, matching.email, matching.phone, matching.created_at, matching.updated_at,
    matching.version, matching.role
FROM matching
ORDER BY matching.created_at, matching.id
LIMIT @page_size;

-- Get those of the given lower-case addresses that users have.
-- name: GetTakenEmails :many
SELECT lower(email)
FROM users
WHERE lower(email) = ANY(@lower_emails::text[]);

-- Count all users.
-- name: CountUsers :one
SELECT count(*) FROM users
WHERE erased_at IS NULL;

-- Delete a user. Changes no row if the user has another version or does not exist.
-- name: DeleteUser :execrows
DELETE FROM users
WHERE id = @id AND version = @version;

-- Erase the personal data of a user. Changes no row if the user has another version or does not exist.
-- name: EraseUser :execrows
UPDATE users
SET first_name = '',
    last_name = '',
    email = id::text,
    phone = NULL,
    password = '',
    role = 'customer',
    erased_at = now(),
    updated_at = greatest(updated_at, now()),
    version = version + 1
WHERE id = @id AND version = @version;

-- Erase the next traces in other tables of a user who was erased or deleted: attempts to log in, answers, events of failed logins, dead
-- letters, origins in the audit log. Returns whether that was all for now, and NULL if there is nothing to do, or another transaction does it.
-- name: EraseTraces :one
SELECT erase_traces(@id, @at_most);

-- Forget the digests of the addresses of users who were erased before a time, oldest first, and return of how many.
-- name: ForgetErasedLogins :one
SELECT forget_logins(@before, @at_most);

-- Get the users whose traces are to be erased, oldest first, after the key (after_erased_at, after_id) of the previous page's last row: those
-- of whom traces remain, and those who were erased so long ago that no request of before is in flight, unless they are finished.
-- name: GetDueErasures :many
SELECT user_id, erased_at FROM erasures
WHERE finished_at IS NULL
  AND (cleared_at IS NULL OR erased_at < now() - longest_request())
  AND (erased_at, user_id) > (
      coalesce(sqlc.narg('after_erased_at')::timestamptz, '-infinity'),
      coalesce(sqlc.narg('after_id')::uuid, '00000000-0000-0000-0000-000000000000')
  )
ORDER BY erased_at, user_id
LIMIT @at_most;

-- Find out whether the erasure of a user is due, in the same way. Returns no row for a user who was not erased.
-- name: IsErasureDue :one
SELECT finished_at IS NULL AND (cleared_at IS NULL OR erased_at < now() - longest_request()) AS is_due
FROM erasures
WHERE user_id = @id;

-- Measure the erasures that are due: their number, which stops at 10,001, and for how many seconds the first of them has been.
-- name: MeasureErasures :one
SELECT count(*) AS due, greatest(extract(epoch FROM clock_timestamp() - min(due_at)), 0)::float8 AS seconds
FROM (
    SELECT CASE WHEN cleared_at IS NULL THEN erased_at ELSE erased_at + longest_request() END AS due_at
    FROM erasures
    WHERE finished_at IS NULL AND (cleared_at IS NULL OR erased_at < now() - longest_request())
    ORDER BY erased_at
    LIMIT 10001
) AS counted;

-- Write many users, with the given ids and times.
-- name: SeedUsers :copyfrom
INSERT INTO users (id, first_name, last_name, email, phone, password, created_at, updated_at)
VALUES (@id, @first_name, @last_name, @email, sqlc.narg('phone'), @password, @created_at, @updated_at);
