CREATE DOMAIN email AS text CHECK (VALUE LIKE '%@%');
CREATE TABLE everything (
    a_bool bool NOT NULL, a_int2 int2 NOT NULL, a_int4 int4 NOT NULL, a_int8 int8 NOT NULL, a_float4 float4 NOT NULL, a_float8 float8 NOT NULL,
    a_numeric numeric NOT NULL, a_text text NOT NULL, a_varchar varchar(3) NOT NULL, a_bpchar char(3) NOT NULL, a_char "char" NOT NULL, a_name name NOT NULL,
    a_bytea bytea NOT NULL, a_uuid uuid NOT NULL, a_date date NOT NULL, a_time time NOT NULL, a_timetz timetz NOT NULL, a_timestamp timestamp NOT NULL,
    a_timestamptz timestamptz NOT NULL, a_interval interval NOT NULL, a_json json NOT NULL, a_jsonb jsonb NOT NULL, a_oid oid NOT NULL,
    a_email email NOT NULL, a_inet inet NOT NULL, a_range int4range NOT NULL,
    ints int[] NOT NULL, texts text[], times timestamptz[] NOT NULL, jsons jsonb[] NOT NULL
);
