-- migrate:up
CREATE TABLE login_attempts (
    login varchar(100) CONSTRAINT login_attempts_pkey PRIMARY KEY,
    attempts integer NOT NULL,
    since timestamptz NOT NULL DEFAULT now()
);

-- For the removal of logins whose period has ended.
CREATE INDEX login_attempts_since_idx ON login_attempts (since);

COMMENT ON TABLE login_attempts IS 'Failed attempts to log in since the last success, whether the user exists or not.';
COMMENT ON COLUMN login_attempts.login IS 'The e-mail address in lower case.';
COMMENT ON COLUMN login_attempts.attempts IS 'Number of attempts in the period; counted before the password is verified.';
COMMENT ON COLUMN login_attempts.since IS 'Start of the period.';

-- migrate:down
DROP TABLE login_attempts;
