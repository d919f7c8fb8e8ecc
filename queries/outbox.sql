-- Write an event, in the transaction of the change that it tells of.
-- name: AddToOutbox :exec
INSERT INTO outbox (aggregate, event_type, payload, trace_id)
VALUES (@aggregate, @event_type, @payload, @trace_id);

-- Lock the next events to publish: of each aggregate the first that waits, if it is due and no other relay has it. The others of that
-- aggregate stay behind it, whoever asks, until it is published or given up.
-- name: ClaimOutboxBatch :many
SELECT position, message_id, aggregate, event_type, payload, trace_id, occurred_at, attempts
FROM outbox
WHERE published_at IS NULL
  AND dead_at IS NULL
  AND due_at <= now()
  AND NOT EXISTS (
      SELECT FROM outbox AS earlier
      WHERE earlier.aggregate = outbox.aggregate
        AND earlier.position < outbox.position
        AND earlier.published_at IS NULL
        AND earlier.dead_at IS NULL
  )
ORDER BY position
LIMIT @batch_size
FOR UPDATE SKIP LOCKED;

-- Note that the broker has stored these.
-- name: MarkPublished :exec
UPDATE outbox
SET published_at = clock_timestamp()
WHERE position = ANY(@positions::bigint[]);

-- Note that the broker refused an event: it is tried again after a while, or given up.
-- name: MarkRefused :exec
UPDATE outbox
SET attempts = attempts + 1,
    last_error = @error,
    due_at = clock_timestamp() + @retry_after::interval,
    dead_at = CASE WHEN @give_up::boolean THEN clock_timestamp() END
WHERE position = @position;

-- Measure how far the outbox is behind: how many events wait, since when the oldest does, and how many were given up. It counts no further
-- than 10,001, so that a long outage does not make this slow.
-- name: MeasureOutbox :one
SELECT
    (SELECT count(*) FROM (SELECT FROM outbox WHERE published_at IS NULL AND dead_at IS NULL LIMIT 10001) AS counted) AS waiting,
    (SELECT min(occurred_at) FROM outbox WHERE published_at IS NULL AND dead_at IS NULL) AS oldest_at,
    (SELECT count(*) FROM (SELECT FROM outbox WHERE dead_at IS NOT NULL LIMIT 10001) AS counted) AS dead;

-- Remove what was published before the given time, at most so many at once: short transactions, as often as needed.
-- name: PruneOutbox :execrows
DELETE FROM outbox
WHERE position IN (
    SELECT pruned.position
    FROM outbox AS pruned
    WHERE pruned.published_at < @before
    ORDER BY pruned.published_at
    LIMIT @at_most
);
