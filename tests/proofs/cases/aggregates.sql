-- count is never NULL
--> ! ! ! : 1
SELECT count(*), count(name), count(DISTINCT age) FROM users;

-- without GROUP BY, the others may see no row
--> ? ? ? ? : 1
SELECT max(total), sum(total), avg(total), min(total) FROM orders;

-- with GROUP BY over values that are not NULL
--> ! ! ! ! ! : many
SELECT user_id, max(total), sum(total), avg(total), min(total) FROM orders GROUP BY user_id;

-- with GROUP BY over values that may be
--> ! ? ? : many
SELECT user_id, max(note), string_agg(note, ',') FROM orders GROUP BY user_id;

-- FILTER may leave none
--> ! ? ! : many
SELECT user_id, sum(total) FILTER (WHERE total > 100), count(*) FILTER (WHERE total > 100) FROM orders GROUP BY user_id;

-- COALESCE around an aggregate
--> ! : 1
SELECT coalesce(sum(total), 0) FROM orders;

-- array_agg takes NULLs up, so it needs a row only
--> ! ? : many
SELECT user_id, max(a) FROM (SELECT user_id, array_agg(note) AS a FROM orders GROUP BY user_id UNION ALL SELECT 1, NULL) s GROUP BY user_id;

-- array_agg, json_agg and jsonb_object_agg with GROUP BY
--> ! ! ! : many
SELECT array_agg(note), json_agg(note), jsonb_object_agg(id, note) FROM orders GROUP BY user_id;

-- array_agg, json_agg and jsonb_object_agg without
--> ? ? ? : 1
SELECT array_agg(note), json_agg(note), jsonb_object_agg(id, note) FROM orders;

-- bool_and, bool_or, every
--> ! ! ? : many
SELECT bool_and(active), bool_or(active), every(age > 1) FROM users GROUP BY status;

-- bit_and and friends
--> ! ! : many
SELECT bit_and(id), bit_or(id) FROM users GROUP BY status;

-- string_agg may have no separator
--> ! : many
SELECT string_agg(email, NULL) FROM users GROUP BY status;

-- standard deviations of a single row
--> ? ! ? ! : many
SELECT stddev(total), stddev_pop(total), var_samp(total), var_pop(total) FROM orders GROUP BY id;

-- corr and regr
--> ? ? ! : many
SELECT corr(id, id), regr_slope(id, id), regr_count(id, age) FROM users GROUP BY id;

-- percentile and mode
--> ! ! ! : many
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY total::float8), percentile_disc(0.5) WITHIN GROUP (ORDER BY total), mode() WITHIN GROUP (ORDER BY total) FROM orders GROUP BY user_id;

-- percentile without rows, and with a fraction that may be NULL
--> ? : 1
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY total) FROM orders;

-- a hypothetical rank
--> ! ! : 1
SELECT rank(5) WITHIN GROUP (ORDER BY total), percent_rank(5) WITHIN GROUP (ORDER BY total) FROM orders;

-- a user's aggregate
--> ? ! : many
SELECT forgetting(id), count(*) FROM users GROUP BY status;

-- an aggregate of an expression
--> ! ? : many
SELECT sum(total * 2), sum(length(note)) FROM orders GROUP BY user_id;

-- an aggregate of DISTINCT and ordered values
--> ! ! : many
SELECT string_agg(DISTINCT email, ','), string_agg(email, ',' ORDER BY name) FROM users GROUP BY status;

-- WHERE narrows what an aggregate sees
--> ! : many
SELECT max(note) FROM orders WHERE note IS NOT NULL GROUP BY user_id;

-- an aggregate over the nullable side of a join
--> ! ? ! : many
SELECT u.id, sum(o.total), count(o.id) FROM users u LEFT JOIN orders o ON o.user_id = u.id GROUP BY u.id;

-- columns that depend on the key that is grouped
--> ! ! ? ! : many
SELECT u.id, u.email, u.name, count(*) FROM users u JOIN orders o ON o.user_id = u.id GROUP BY u.id;

-- an aggregate in a subquery over an outer column
--> ! ? : many
SELECT u.id, (SELECT max(o.total) FROM orders o WHERE o.user_id = u.id) FROM users u;

-- an aggregate over one row that is always there
--> ! ! : 1
SELECT max(v), sum(v) FROM (VALUES (1), (2)) t(v);

-- an aggregate over one row that a condition may drop
--> ? : 1
SELECT max(v) FROM (VALUES (1), (2)) t(v) WHERE v > $1::int;

-- GROUP BY an expression
--> ! ? ! : many
SELECT lower(email), lower(name), count(*) FROM users GROUP BY lower(email), lower(name);

-- GROUP BY a column that may be NULL
--> ? ! : many
SELECT name, count(*) FROM users GROUP BY name;

-- HAVING narrows
--> ! : many
SELECT name FROM users GROUP BY name HAVING name IS NOT NULL;

-- HAVING narrows an aggregate
--> ! ? : many
SELECT max(note), min(placed_on) FROM orders GROUP BY user_id HAVING max(note) > 'a';

-- HAVING narrows an aggregate without GROUP BY, too
--> ! : 0..1
SELECT max(total) FROM orders HAVING max(total) > 0;

-- ROLLUP nulls what it leaves out
--> ? ? ! : many
SELECT status, active, count(*) FROM users GROUP BY ROLLUP (status, active);

-- CUBE
--> ? ? ! : many
SELECT status, active, count(*) FROM users GROUP BY CUBE (status, active);

-- GROUPING SETS: what is in all of them stays
--> ! ? ? : many
SELECT status, active, email FROM users GROUP BY GROUPING SETS ((status, active), (status, email));

-- GROUPING SETS of one set
--> ! ! : many
SELECT status, active FROM users GROUP BY GROUPING SETS ((status, active));

-- the empty grouping set has a row without rows
--> ? ? : many
SELECT status, max(id) FROM users GROUP BY ROLLUP (status);

-- without the empty grouping set, every group has rows
--> ? ! : many
SELECT status, max(id) FROM users GROUP BY GROUPING SETS ((status), (active));

-- a GROUP BY beside a ROLLUP
--> ! ? ! : many
SELECT status, active, sum(id) FROM users GROUP BY status, ROLLUP (active);

-- GROUPING()
--> ! : many
SELECT grouping(status) FROM users GROUP BY ROLLUP (status);

-- an expression over a column that a grouping set leaves out
--> ? ! : many
SELECT lower(email), coalesce(email, 'all') FROM users GROUP BY ROLLUP (email);

-- a whole expression that a grouping set leaves out
--> ? : many
SELECT lower(email) FROM users GROUP BY ROLLUP (lower(email));

-- a constant that a grouping set leaves out
--> ! : many
SELECT coalesce(email, '') || 'x' FROM users GROUP BY ROLLUP (email);

-- CASE over a column that a grouping set leaves out
--> ! : many
SELECT CASE WHEN grouping(email) = 1 THEN 'all' ELSE coalesce(email, '?') END FROM users GROUP BY ROLLUP (email);

-- an aggregate's argument is not nulled by grouping sets
--> ? ! : many
SELECT status, max(status) FROM users GROUP BY GROUPING SETS ((status), (active));

-- DISTINCT
--> ! ? : many
SELECT DISTINCT status, name FROM users;

-- DISTINCT ON
--> ! ? : many
SELECT DISTINCT ON (user_id) user_id, note FROM orders ORDER BY user_id, id DESC;

-- row_number and ranks
--> ! ! ! ! ! : many
SELECT row_number() OVER (), rank() OVER w, dense_rank() OVER w, percent_rank() OVER w, cume_dist() OVER w FROM users WINDOW w AS (ORDER BY age);

-- ntile
--> ! ? : many
SELECT ntile(2) OVER (ORDER BY id), ntile(nullif(2, 2)) OVER (ORDER BY id) FROM users;

-- lag and lead
--> ? ? : many
SELECT lag(id) OVER (ORDER BY id), lead(id, 2) OVER (ORDER BY id) FROM users;

-- lag and lead with a default
--> ! ? ? : many
SELECT lag(id, 1, 0) OVER (ORDER BY id), lag(age, 1, 0) OVER (ORDER BY id), lead(id, 1, age) OVER (ORDER BY id) FROM users;

-- first_value and last_value with the default frame
--> ! ! ? : many
SELECT first_value(id) OVER (ORDER BY id), last_value(id) OVER (ORDER BY id), first_value(name) OVER (ORDER BY age) FROM users;

-- nth_value
--> ? : many
SELECT nth_value(id, 2) OVER (ORDER BY id) FROM users;

-- a frame that may be empty
--> ? ? ! : many
SELECT first_value(id) OVER w, sum(id) OVER w, count(*) OVER w FROM users WINDOW w AS (ORDER BY id ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING);

-- a frame that always holds the current row
--> ! ! : many
SELECT sum(id) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW), max(id) OVER (ORDER BY id GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM users;

-- a frame without the current row
--> ? ! : many
SELECT sum(id) OVER (ORDER BY id ROWS BETWEEN CURRENT ROW AND CURRENT ROW EXCLUDE CURRENT ROW), sum(id) OVER (ORDER BY id ROWS BETWEEN CURRENT ROW AND CURRENT ROW EXCLUDE TIES) FROM users;

-- aggregates over a window
--> ! ? ! : many
SELECT sum(total) OVER (PARTITION BY user_id), max(note) OVER (PARTITION BY user_id), array_agg(note) OVER () FROM orders;

-- a FILTER in a window
--> ? : many
SELECT sum(total) FILTER (WHERE total > 100) OVER () FROM orders;

-- a window over groups
--> ! ! : many
SELECT sum(sum(total)) OVER (), rank() OVER (ORDER BY sum(total)) FROM orders GROUP BY user_id;

-- a RANGE frame with an offset may be proven to hold the current row, but no rule does
--> ~ : many
SELECT sum(id) OVER (ORDER BY id RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM users;

-- a frame that starts behind the current row
--> ? : many
SELECT last_value(id) OVER (ORDER BY id ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) FROM users;

-- every
--> ! : many
SELECT every(active) FROM users GROUP BY status;
