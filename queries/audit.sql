-- Append to the audit log. There is no other way to write to it.
-- name: AppendAuditEntry :exec
INSERT INTO audit_log (actor, action, subject, origin, outcome, metadata, trace_id)
VALUES (@actor, @action, @subject, @origin, @outcome, @metadata, @trace_id);

-- List what happened, newest first, to one subject, or to all where that is NULL. A page starts behind the entry after_id; NULL for the first page.
-- name: ListAuditEntries :many
SELECT id, at, actor, action, subject, origin, outcome, metadata, trace_id
FROM audit_log
WHERE (sqlc.narg('subject')::varchar IS NULL OR subject = sqlc.narg('subject'))
  AND id < coalesce(sqlc.narg('after_id')::bigint, 9223372036854775807)
ORDER BY id DESC
LIMIT @page_size;
