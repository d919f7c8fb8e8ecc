CREATE TABLE items (id int PRIMARY KEY, size smallint NOT NULL, big bigint NOT NULL, tag varchar(10), price numeric(10, 2) NOT NULL, tags text[] NOT NULL);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE counts (id int PRIMARY KEY, n positive NOT NULL);
