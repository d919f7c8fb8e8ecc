CREATE SCHEMA geo;
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN email AS text;
CREATE TYPE geo.address AS (street text, "from" int, moods mood[], data jsonb, mail email);
COMMENT ON TYPE geo.address IS 'Where mail goes.';
CREATE TYPE floatrange AS RANGE (subtype = float8);
CREATE TABLE users (id int PRIMARY KEY, home geo.address, homes geo.address[] NOT NULL, mails email[] NOT NULL, size floatrange, stay interval);
