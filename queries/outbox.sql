-- Write an event, in the transaction of its change.
-- name: AddToOutbox :exec
INSERT INTO outbox (aggregate, event_type, event_version, payload, trace_id, traceparent)
VALUES (@aggregate, @event_type, @event_version, @payload, @trace_id, @traceparent);

-- Claim the next events to publish for the duration of the lease: of each aggregate the first pending one, if it is due and not claimed.
-- Later events of that aggregate wait until it is published or a dead letter.
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
    outbox.position, outbox.message_id, outbox.aggregate, outbox.event_type, outbox.event_version, outbox.payload, outbox.trace_id,
    outbox.traceparent, outbox.occurred_at, outbox.attempts;

-- Record the places of published events that this claim still holds. An event recorded at one of these places before was lost by the
-- broker, which otherwise uses no place twice: it becomes pending again.
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

-- Record that the broker refused an event: it is retried after a while, or a dead letter.
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

-- Release the events of a claim that were neither published nor refused.
-- name: ReleaseClaim :exec
UPDATE outbox
SET claim = NULL,
    claimed_until = NULL
WHERE position = ANY(@positions::bigint[])
  AND claim = @claim;

-- Make published events and dead letters of a range pending again, at most `at_most`, and return their positions.
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

-- Get a dead letter of the relay, with its content.
-- name: GetDeadEvent :one
SELECT aggregate, event_type, event_version, payload, trace_id, occurred_at, attempts, last_error, dead_at
FROM outbox
WHERE message_id = @message_id AND dead_at IS NOT NULL;

-- Make a dead letter of the relay pending again, and return whether there was one.
-- name: ReviveDeadEvent :execrows
UPDATE outbox
SET dead_at = NULL,
    attempts = 0,
    last_error = NULL,
    due_at = clock_timestamp()
WHERE message_id = @message_id AND dead_at IS NOT NULL;

-- Remove a dead letter of the relay, and return whether there was one.
-- name: DiscardDeadEvent :execrows
DELETE FROM outbox
WHERE message_id = @message_id AND dead_at IS NOT NULL;

-- Count the events published within the retention that are missing from the stream, and return the first and last position.
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

-- Get the time of the database, which stamps all messages.
-- name: GetTime :one
SELECT now()::timestamptz AS time;

-- Measure the lag of the outbox: the number of pending events, the age of the oldest in seconds, and the number of dead letters. Counts
-- stop at 10,001, so that this remains fast after a long outage.
-- name: MeasureOutbox :one
SELECT
    (SELECT count(*) FROM (SELECT FROM outbox WHERE published_at IS NULL AND dead_at IS NULL LIMIT 10001) AS counted) AS waiting,
    (
        SELECT greatest(extract(epoch FROM clock_timestamp() - min(occurred_at)), 0)::float8
        FROM outbox
        WHERE published_at IS NULL AND dead_at IS NULL
    ) AS lag_seconds,
    (SELECT count(*) FROM (SELECT FROM outbox WHERE dead_at IS NOT NULL LIMIT 10001) AS counted) AS dead;

-- Remove events published before a time, oldest first, at most `at_most`, to keep transactions short.
-- name: PruneOutbox :execrows
DELETE FROM outbox
WHERE position IN (
    SELECT pruned.position
    FROM outbox AS pruned
    WHERE pruned.published_at < @before
    ORDER BY pruned.published_at
    LIMIT @at_most
);
