-- name: ListEverything :many
SELECT * FROM everything;

-- name: CreateEverything :exec
INSERT INTO everything (
    a_bool, a_int2, a_int4, a_int8, a_float4, a_float8, a_numeric, a_text, a_varchar, a_bpchar, a_char, a_name, a_bytea, a_uuid, a_date,
    a_time, a_timetz, a_timestamp, a_timestamptz, a_interval, a_json, a_jsonb, a_oid, a_email, a_inet, a_range, ints, texts, times, jsons
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30);

-- name: ListPlain :many
SELECT a_int4, a_text, a_numeric, a_timestamptz, ints FROM everything;
