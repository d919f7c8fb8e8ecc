-- Register a user. The database gives the id and both timestamps.
-- name: CreateUser :one
INSERT INTO users (first_name, last_name, email, phone, password)
VALUES (@first_name, @last_name, @email, sqlc.narg('phone'), @password)
RETURNING id, first_name, last_name, email, phone, password, created_at, updated_at, version;

-- Get a user by id.
-- name: GetUser :one
SELECT id, first_name, last_name, email, phone, password, created_at, updated_at, version
FROM users
WHERE id = @id;

-- Get a user by e-mail, whatever its case.
-- name: GetUserByEmail :one
SELECT id, first_name, last_name, email, phone, password, created_at, updated_at, version
FROM users
WHERE lower(email) = lower(@email);

-- Replace everything that users edit about themselves, and return the user as it is then. No row where the user has another version, or is not there.
-- name: UpdateUserProfile :one
UPDATE users
SET first_name = @first_name,
    last_name = @last_name,
    email = @email,
    phone = sqlc.narg('phone'),
    updated_at = greatest(updated_at, now()),
    version = version + 1
WHERE id = @id AND version = @version
RETURNING id, first_name, last_name, email, phone, password, created_at, updated_at, version;

-- Replace the password hash. No row is touched where the user has another version, or is not there.
-- name: UpdateUserPassword :execrows
UPDATE users
SET password = @password,
    updated_at = greatest(updated_at, now()),
    version = version + 1
WHERE id = @id AND version = @version;

-- Get what anyone may know of the users with these ids. An unknown id has no row; the rows are in no particular order.
-- name: GetPublicProfiles :many
SELECT id, first_name, last_name
FROM users
WHERE id = ANY(@ids::uuid[]);

-- List users by registration, oldest first, without their passwords. A page starts behind the key
-- (after_created_at, after_id), the last row of the page before; both are NULL for the first page.
-- name: ListUsers :many
SELECT id, first_name, last_name, email, phone, created_at, updated_at, version
FROM users
WHERE (created_at, id) > (
    coalesce(sqlc.narg('after_created_at')::timestamptz, '-infinity'),
    coalesce(sqlc.narg('after_id')::uuid, '00000000-0000-0000-0000-000000000000')
)
ORDER BY created_at, id
LIMIT @page_size;

-- Get the addresses among these that users have, in lower case as these are.
-- name: GetTakenEmails :many
SELECT lower(email)
FROM users
WHERE lower(email) = ANY(@lower_emails::text[]);

-- Count all users.
-- name: CountUsers :one
SELECT count(*) FROM users;

-- Delete a user. No row is touched where no user has the id.
-- name: DeleteUser :execrows
DELETE FROM users
WHERE id = @id;

-- Write many users at once, with ids and times of their own.
-- name: SeedUsers :copyfrom
INSERT INTO users (id, first_name, last_name, email, phone, password, created_at, updated_at)
VALUES (@id, @first_name, @last_name, @email, sqlc.narg('phone'), @password, @created_at, @updated_at);
