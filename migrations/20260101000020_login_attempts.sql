-- migrate:up
CREATE TABLE login_attempts (
    login varchar(100) CONSTRAINT login_attempts_pkey PRIMARY KEY,
    attempts integer NOT NULL,
    since timestamptz NOT NULL DEFAULT now()
);

-- For removing those whose period is over.
CREATE INDEX login_attempts_since_idx ON login_attempts (since);

COMMENT ON TABLE login_attempts IS 'Logins that were tried and have not succeeded since, whether there is such a user or not.';
COMMENT ON COLUMN login_attempts.login IS 'The address that was given, in lower case.';
COMMENT ON COLUMN login_attempts.attempts IS 'How often in the period: counted before the password is looked at.';
COMMENT ON COLUMN login_attempts.since IS 'When the period began.';

-- migrate:down
DROP TABLE login_attempts;
