CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL);
COMMENT ON TABLE users IS 'People who may sign in.';
COMMENT ON COLUMN users.name IS 'As they write it; "quotes", \\ backslashes and """ included.';
CREATE TABLE silent (id int PRIMARY KEY, name text NOT NULL);
