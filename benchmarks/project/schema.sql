CREATE TABLE people (
    id int PRIMARY KEY,
    name text NOT NULL,
    email text NOT NULL,
    phone text,
    born date NOT NULL,
    seen timestamptz NOT NULL,
    balance numeric(12, 2) NOT NULL,
    active boolean NOT NULL
);
