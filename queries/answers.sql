-- Lock the key of a request until the end of the transaction, and return whether it was free. Before GetAnswer, so that its snapshot
-- contains what the previous holder of the lock committed.
-- name: LockAnswer :one
SELECT pg_try_advisory_xact_lock(hashtextextended(concat_ws(' ', @scope::text, @key::text), 0)) AS is_free;

-- Get the answer to the request with this key. Returns no row for a key that was not used.
-- name: GetAnswer :one
SELECT fingerprint, answer
FROM answers
WHERE scope = @scope AND key = @key;

-- Write a record to the write-ahead log that changes nothing. A transaction that only reads waits for no standby; with this record it does, at
-- its commit, until the standby has all of the log before it. A standby itself writes none, and has what it shows.
-- name: MarkLog :exec
SELECT pg_logical_emit_message(true, 'shop'::text, ''::text)
WHERE NOT pg_is_in_recovery();

-- Record the answer to a request, in the transaction of its effects. Where a snapshot is older than the lock, a conflict with an answer that it
-- does not contain is a serialization failure, and so the request is repeated and finds it.
-- name: AddAnswer :exec
INSERT INTO answers (scope, key, subject, fingerprint, answer)
VALUES (@scope, @key, @subject, @fingerprint, @answer)
ON CONFLICT (scope, key) DO NOTHING;

-- Remove answers given before a time, oldest first, at most `at_most`, to keep transactions short.
-- name: PruneAnswers :execrows
DELETE FROM answers
WHERE (scope, key) IN (
    SELECT pruned.scope, pruned.key
    FROM answers AS pruned
    WHERE pruned.answered_at < @before
    ORDER BY pruned.answered_at
    LIMIT @at_most
);
