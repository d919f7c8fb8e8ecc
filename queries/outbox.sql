-- Write an event, in the transaction of the change that it tells of.
-- name: AddToOutbox :exec
INSERT INTO outbox (aggregate, event_type, payload, trace_id)
VALUES (@aggregate, @event_type, @payload, @trace_id);

-- Claim the next events to publish, for as long as the lease: of each aggregate the first that waits, if it is due and no other relay has it.
-- The others of that aggregate stay behind it, whoever asks, until it is published or given up.
-- name: ClaimOutboxBatch :many
WITH due AS MATERIALIZED (
    SELECT candidate.position
    FROM outbox AS candidate
    WHERE candidate.published_at IS NULL
      AND candidate.dead_at IS NULL
      AND candidate.due_at <= clock_timestamp()
      AND (candidate.claimed_until IS NULL OR candidate.claimed_until <= clock_timestamp())
      AND NOT EXISTS (
          SELECT FROM outbox AS earlier
          WHERE earlier.aggregate = candidate.aggregate
            AND earlier.position < candidate.position
            AND earlier.published_at IS NULL
            AND earlier.dead_at IS NULL
      )
    ORDER BY candidate.position
    LIMIT @batch_size
    FOR UPDATE SKIP LOCKED
)
UPDATE outbox
SET claim = @claim,
    claimed_until = clock_timestamp() + @lease::interval
FROM due
WHERE outbox.position = due.position
RETURNING
    outbox.position, outbox.message_id, outbox.aggregate, outbox.event_type, outbox.payload, outbox.trace_id, outbox.occurred_at,
    outbox.attempts;

-- Record where the broker has stored these, if they are still claimed by this pass. A message that held one of these places before was
-- lost by the broker, which gives no place twice otherwise: it waits again.
-- name: MarkPublished :exec
WITH stored AS (
    SELECT
        unnest(@positions::bigint[]) AS position,
        unnest(@streams::varchar[]) AS stream,
        unnest(@sequences::bigint[]) AS sequence
),
displaced AS (
    UPDATE outbox
    SET published_at = NULL,
        stream = NULL,
        stream_sequence = NULL
    FROM stored
    WHERE outbox.stream = stored.stream
      AND outbox.stream_sequence = stored.sequence
      AND outbox.position <> stored.position
)
UPDATE outbox
SET published_at = clock_timestamp(),
    stream = stored.stream,
    stream_sequence = stored.sequence,
    claim = NULL,
    claimed_until = NULL
FROM stored
WHERE outbox.position = stored.position
  AND outbox.claim = @claim;

-- Record that the broker refused an event: it is tried again after a while, or given up.
-- name: MarkRefused :exec
UPDATE outbox
SET attempts = attempts + 1,
    last_error = @error,
    due_at = clock_timestamp() + @retry_after::interval,
    dead_at = CASE WHEN @give_up::boolean THEN clock_timestamp() END,
    claim = NULL,
    claimed_until = NULL
WHERE position = @position
  AND claim = @claim;

-- End a claim on what was neither published nor refused.
-- name: ReleaseClaim :exec
UPDATE outbox
SET claim = NULL,
    claimed_until = NULL
WHERE position = ANY(@positions::bigint[])
  AND claim = @claim;

-- Have events published again that were published or given up, at most so many at once, and return their positions.
-- name: RepublishOutbox :many
WITH chosen AS MATERIALIZED (
    SELECT settled.position
    FROM outbox AS settled
    WHERE settled.position BETWEEN @first_position AND @last_position
      AND (settled.published_at IS NOT NULL OR settled.dead_at IS NOT NULL)
    ORDER BY settled.position
    LIMIT @at_most
    FOR UPDATE
)
UPDATE outbox
SET published_at = NULL,
    dead_at = NULL,
    attempts = 0,
    last_error = NULL,
    due_at = clock_timestamp(),
    claim = NULL,
    claimed_until = NULL,
    stream = NULL,
    stream_sequence = NULL
FROM chosen
WHERE outbox.position = chosen.position
RETURNING outbox.position;

-- Count the events that were published within the given time and that the stream does not hold, and find the first and the last of them.
-- name: MeasureStreamGap :one
SELECT count(*) AS lost, min(position) AS first_position, max(position) AS last_position
FROM outbox
WHERE (
    stream < @stream
    OR stream > @stream
    OR (stream = @stream AND stream_sequence < @first_sequence)
    OR (stream = @stream AND stream_sequence > @last_sequence)
    OR (stream = @stream AND stream_sequence = ANY(@deleted::bigint[]))
)
  AND published_at > now() - @keep::interval
  AND published_at <= @known_at;

-- Get the time of the database, by which everything here is measured.
-- name: GetTime :one
SELECT now()::timestamptz AS time;

-- Measure how far the outbox is behind: how many events wait, for how many seconds the oldest does, and how many were given up. It counts
-- no further than 10,001, so that a long outage does not make this slow.
-- name: MeasureOutbox :one
SELECT
    (SELECT count(*) FROM (SELECT FROM outbox WHERE published_at IS NULL AND dead_at IS NULL LIMIT 10001) AS counted) AS waiting,
    (
        SELECT greatest(extract(epoch FROM clock_timestamp() - min(occurred_at)), 0)::float8
        FROM outbox
        WHERE published_at IS NULL AND dead_at IS NULL
    ) AS lag_seconds,
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
