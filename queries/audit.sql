-- Append an entry to the audit log, the only write that it allows.
-- name: AppendAuditEntry :exec
INSERT INTO audit_log (actor, action, subject, origin, outcome, metadata, trace_id)
VALUES (@actor, @action, @subject, @origin, @outcome, @metadata, @trace_id);

-- List all entries, newest first. A page starts after the entry after_id, which is NULL for the first page.
-- name: ListAuditEntries :many
SELECT id, at, actor, action, subject, origin, outcome, metadata, trace_id
FROM audit_log
WHERE id < coalesce(sqlc.narg('after_id')::bigint, 9223372036854775807)
ORDER BY id DESC
LIMIT @page_size;

-- List the entries of one subject, newest first, in pages as above. A separate query: the generic plan of a combined one would read the
-- whole log to find one subject.
-- name: ListAuditEntriesOfSubject :many
SELECT id, at, actor, action, subject, origin, outcome, metadata, trace_id
FROM audit_log
WHERE subject = @subject
  AND id < coalesce(sqlc.narg('after_id')::bigint, 9223372036854775807)
ORDER BY id DESC
LIMIT @page_size;
