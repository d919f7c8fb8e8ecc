-- Enter a message into the inbox and lock it there until the transaction ends: a second delivery waits, and then sees what became of the first.
-- name: EnterInbox :one
INSERT INTO inbox (consumer, message_id, event_type)
VALUES (@consumer, @message_id, @event_type)
ON CONFLICT (consumer, message_id) DO UPDATE
SET event_type = EXCLUDED.event_type
RETURNING (handled_at IS NOT NULL OR dead_at IS NOT NULL)::boolean AS is_settled;

-- Note that a message was handled, in the transaction of its effects.
-- name: MarkHandled :exec
UPDATE inbox
SET handled_at = now()
WHERE consumer = @consumer AND message_id = @message_id;

-- Note that handling a message failed, and count how often it has.
-- name: CountFailure :one
INSERT INTO inbox (consumer, message_id, event_type, attempts, last_error)
VALUES (@consumer, @message_id, @event_type, 1, @error)
ON CONFLICT (consumer, message_id) DO UPDATE
SET attempts = inbox.attempts + 1,
    last_error = EXCLUDED.last_error
RETURNING attempts;

-- Give a message up, and keep it for whoever looks into it.
-- name: GiveUp :exec
UPDATE inbox
SET dead_at = now(),
    dead_message = @message
WHERE consumer = @consumer AND message_id = @message_id AND handled_at IS NULL;

-- List the messages that were given up, by their consumers and by the relay, newest first.
-- name: ListDeadMessages :many
SELECT consumer, message_id, event_type, attempts, last_error, dead_at
FROM inbox
WHERE dead_at IS NOT NULL
UNION ALL
SELECT 'relay', message_id, event_type, attempts, last_error, dead_at
FROM outbox
WHERE dead_at IS NOT NULL
ORDER BY dead_at DESC
LIMIT @at_most;

-- Remove what was handled before the given time, at most so many at once, but for what the outbox still has: that may be published again,
-- and must be known then.
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
