-- Count a notice to a recipient, and return 1; 0 if the recipient was sent this number of them today, in UTC.
-- name: CountNotice :execrows
INSERT INTO notices AS known (recipient, day, sent)
VALUES (@recipient, (now() AT TIME ZONE 'UTC')::date, 1)
ON CONFLICT (recipient) DO UPDATE
SET day = EXCLUDED.day,
    sent = CASE WHEN known.day < EXCLUDED.day THEN 1 ELSE known.sent + 1 END
WHERE known.day < EXCLUDED.day OR known.sent < @at_most;

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
