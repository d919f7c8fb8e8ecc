CREATE SCHEMA audit;
CREATE TYPE audit.level AS ENUM ('low', 'high');
CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE audit.users (id int PRIMARY KEY, level audit.level NOT NULL);
