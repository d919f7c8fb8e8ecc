-- migrate:up
CREATE TABLE answers (
    -- `key` is chosen by the client, so each caller has a scope of its own.
    scope varchar(100) NOT NULL,
    key varchar(128) NOT NULL,
    fingerprint bytea NOT NULL,
    answer bytea NOT NULL,
    answered_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT answers_pkey PRIMARY KEY (scope, key)
);

-- For pruning, oldest first.
CREATE INDEX answers_answered_at_idx ON answers (answered_at);

COMMENT ON TABLE answers IS 'Answers to requests that carried a key, each written in the transaction of its request.';
COMMENT ON COLUMN answers.scope IS 'The caller, as in user:<id>.';
COMMENT ON COLUMN answers.key IS 'The key of the request.';
COMMENT ON COLUMN answers.fingerprint IS 'Digest of the request without its secrets: another request under the same key is refused.';
COMMENT ON COLUMN answers.answer IS 'The answer as it was sent.';
COMMENT ON COLUMN answers.answered_at IS 'When the request was carried out.';

-- migrate:down
DROP TABLE answers;
