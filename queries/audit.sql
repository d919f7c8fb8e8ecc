-- Append to the audit log. There is no other way to write to it.
-- name: AppendAuditEntry :exec
INSERT INTO audit_log (actor, action, subject, origin, outcome, metadata, trace_id)
VALUES (@actor, @action, @subject, @origin, @outcome, @metadata, @trace_id);

-- List what happened, newest first. A page starts behind the entry after_id; NULL for the first page.
-- name: ListAuditEntries :many
SELECT id, at, actor, action, subject, origin, outcome, metadata, trace_id
FROM audit_log
WHERE id < coalesce(sqlc.narg('after_id')::bigint, 9223372036854775807)
ORDER BY id DESC
LIMIT @page_size;

-- List what happened to one subject, newest first, in pages as above. A query of its own: one for both would have a plan that is right for
-- both, which reads the whole log to find one subject.
-- name: ListAuditEntriesOfSubject :many
SELECT id, at, actor, action, subject, origin, outcome, metadata, trace_id
FROM audit_log
WHERE subject = @subject
  AND id < coalesce(sqlc.narg('after_id')::bigint, 9223372036854775807)
ORDER BY id DESC
LIMIT @page_size;
