-- Count the notice of a message to a recipient, unless the recipient was sent this number of others today, in UTC. A message that was
-- counted today is not counted again: return whether it was.
-- name: CountNotice :one
INSERT INTO notices AS known (recipient, day, sent, messages)
VALUES (@recipient, (now() AT TIME ZONE 'UTC')::date, 1, ARRAY[@message_id::uuid])
ON CONFLICT (recipient) DO UPDATE
SET day = EXCLUDED.day,
    sent = CASE
        WHEN known.day < EXCLUDED.day THEN 1
        WHEN @message_id::uuid = ANY(known.messages) THEN known.sent
        ELSE known.sent + 1
    END,
    messages = CASE
        WHEN known.day < EXCLUDED.day THEN EXCLUDED.messages
        WHEN @message_id::uuid = ANY(known.messages) THEN known.messages
        ELSE known.messages || EXCLUDED.messages
    END
WHERE known.day < EXCLUDED.day OR @message_id::uuid = ANY(known.messages) OR known.sent < @at_most
RETURNING coalesce(
    -- In the row as it was before.
    (
        SELECT former.day = known.day AND @message_id::uuid = ANY(former.messages)
        FROM notices AS former
        WHERE former.recipient = @recipient
    ),
    false
) AS was_counted;

-- Return whether the message of a notice that counts is neither handled nor a dead letter, so that its count may still be taken back. After
-- the count above, in its transaction: that locks the row, so that the count is not taken back meanwhile.
-- name: HasUnsettledNotice :one
SELECT EXISTS (
    SELECT FROM notices
    JOIN inbox ON inbox.consumer = 'notifications' AND inbox.message_id = ANY(notices.messages)
    WHERE notices.recipient = @recipient AND inbox.handled_at IS NULL AND inbox.dead_at IS NULL
) AS has_unsettled;

-- Take back the count of a notice that was certainly not sent.
-- name: TakeBackNotice :exec
UPDATE notices
SET sent = sent - 1,
    messages = array_remove(messages, @message_id::uuid)
WHERE recipient = @recipient AND @message_id::uuid = ANY(messages);

-- Remove what was counted on earlier days, except what other transactions have locked.
-- name: RemoveOldNotices :execrows
DELETE FROM notices
WHERE recipient IN (
    SELECT recipient FROM notices
    WHERE day < (now() AT TIME ZONE 'UTC')::date
    ORDER BY day
    LIMIT @at_most
    FOR UPDATE SKIP LOCKED
);
