CREATE TABLE users (id int PRIMARY KEY);

CREATE INDEX ON users
    (nope);
