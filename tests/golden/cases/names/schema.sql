CREATE TABLE "class" (
    "from" int PRIMARY KEY,
    "Import" text NOT NULL,
    "2fa" boolean NOT NULL,
    "weird name!" text NOT NULL,
    "a$b" text NOT NULL,
    uuid uuid NOT NULL,
    other uuid NOT NULL,
    date date NOT NULL,
    datetime timestamptz NOT NULL,
    str text NOT NULL,
    "list" text[] NOT NULL
);
CREATE TYPE person AS (name text);
CREATE TABLE people (id int PRIMARY KEY, who person NOT NULL);
