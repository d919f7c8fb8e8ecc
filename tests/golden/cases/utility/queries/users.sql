-- name: LockUsers :exec
LOCK TABLE users IN SHARE MODE;

-- name: Announce :exec
NOTIFY users, 'changed';

-- name: EmptyOrders :exec
TRUNCATE orders;

-- name: RefreshTotals :exec
REFRESH MATERIALIZED VIEW totals;

-- name: Bump :exec
CALL bump(@user_id, @note);

-- name: ShortTimeout :exec
SET LOCAL statement_timeout = 5;
