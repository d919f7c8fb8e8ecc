-- Enter a message into the inbox as handled, in the transaction of its effects, and return 1; 0 if it was handled before or is a dead letter.
-- It is locked until the transaction ends: a second delivery waits, and then sees the result of the first.
-- name: EnterInbox :execrows
INSERT INTO inbox (consumer, message_id, event_type, handled_at)
VALUES (@consumer, @message_id, @event_type, now())
ON CONFLICT (consumer, message_id) DO UPDATE
SET handled_at = EXCLUDED.handled_at
WHERE inbox.handled_at IS NULL AND inbox.dead_at IS NULL;

-- Claim a message for this time, unless it is settled or claimed, and return the end of the claim.
-- name: ClaimInbox :one
INSERT INTO inbox (consumer, message_id, event_type, claimed_until)
VALUES (@consumer, @message_id, @event_type, now() + @lease::interval)
ON CONFLICT (consumer, message_id) DO UPDATE
SET claimed_until = EXCLUDED.claimed_until
WHERE inbox.handled_at IS NULL AND inbox.dead_at IS NULL AND (inbox.claimed_until IS NULL OR inbox.claimed_until <= now())
RETURNING claimed_until;

-- End a claim, and return 0 if another process has the message now.
-- name: ReleaseInbox :execrows
UPDATE inbox
SET claimed_until = NULL
WHERE consumer = @consumer AND message_id = @message_id AND claimed_until = @claimed_until;

-- Return whether a message was handled or is a dead letter.
-- name: IsSettled :one
SELECT (handled_at IS NOT NULL OR dead_at IS NOT NULL)::boolean AS settled
FROM inbox
WHERE consumer = @consumer AND message_id = @message_id;

-- Record a failure to handle a message, and return the number of its failures.
-- name: CountFailure :one
-- @one exactly the trigger inbox_bury returns each row
INSERT INTO inbox (consumer, message_id, event_type, attempts, last_error)
VALUES (@consumer, @message_id, @event_type, 1, @error)
ON CONFLICT (consumer, message_id) DO UPDATE
SET attempts = inbox.attempts + 1,
    last_error = EXCLUDED.last_error
RETURNING attempts;

-- Make a message a dead letter, and keep its content for inspection. An error replaces that of its last failure.
-- name: GiveUp :exec
UPDATE inbox
SET dead_at = now(),
    dead_message = @message,
    last_error = coalesce(sqlc.narg(error), last_error)
WHERE consumer = @consumer AND message_id = @message_id AND handled_at IS NULL;

-- List the dead letters of the consumers and of the relay, newest first. A page starts after the key (after_dead_at, after_consumer,
-- after_message_id) of the previous page's last row; all are NULL for the first page.
-- name: ListDeadMessages :many
SELECT consumer, message_id, event_type, attempts, last_error, dead_at
FROM inbox
WHERE dead_at IS NOT NULL
  AND (dead_at, consumer, message_id) < (
      coalesce(sqlc.narg('after_dead_at')::timestamptz, 'infinity'),
      coalesce(sqlc.narg('after_consumer')::varchar, ''),
      coalesce(sqlc.narg('after_message_id')::uuid, '00000000-0000-0000-0000-000000000000')
  )
UNION ALL
SELECT 'relay', message_id, event_type, attempts, last_error, dead_at
FROM outbox
WHERE dead_at IS NOT NULL
  AND (dead_at, 'relay', message_id) < (
      coalesce(sqlc.narg('after_dead_at')::timestamptz, 'infinity'),
      coalesce(sqlc.narg('after_consumer')::varchar, ''),
      coalesce(sqlc.narg('after_message_id')::uuid, '00000000-0000-0000-0000-000000000000')
  )
ORDER BY dead_at DESC, consumer DESC, message_id DESC
LIMIT @page_size;

-- Get a dead letter of a consumer, with its content.
-- name: GetDeadMessage :one
SELECT event_type, attempts, last_error, dead_at, dead_message
FROM inbox
WHERE consumer = @consumer AND message_id = @message_id AND dead_at IS NOT NULL;

-- Lock a dead letter of a consumer until the transaction ends, and return its content.
-- name: LockDeadMessage :one
SELECT dead_message
FROM inbox
WHERE consumer = @consumer AND message_id = @message_id AND dead_at IS NOT NULL
FOR UPDATE;

-- Settle a dead letter of a consumer: it was handled after all, or is to be forgotten.
-- name: SettleDeadMessage :execrows
UPDATE inbox
SET handled_at = now(),
    dead_at = NULL,
    dead_message = NULL
WHERE consumer = @consumer AND message_id = @message_id AND dead_at IS NOT NULL;

-- Count the dead letters of each consumer.
-- name: CountDeadMessages :many
SELECT consumer, count(*) AS dead
FROM inbox
WHERE dead_at IS NOT NULL
GROUP BY consumer
ORDER BY consumer;

-- Remove messages handled before a time, oldest first, at most `at_most`, except those still in the outbox: they may be published again,
-- and must then be recognised.
-- name: PruneInbox :execrows
DELETE FROM inbox
WHERE (consumer, message_id) IN (
    SELECT pruned.consumer, pruned.message_id
    FROM inbox AS pruned
    WHERE pruned.handled_at < @before
      AND NOT EXISTS (SELECT FROM outbox WHERE outbox.message_id = pruned.message_id)
    ORDER BY pruned.handled_at
    LIMIT @at_most
);
