-- migrate:up transaction:false
ALTER TABLE users ADD COLUMN nick text;

-- migrate:down
ALTER TABLE users DROP COLUMN nick;
