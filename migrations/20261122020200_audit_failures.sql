-- migrate:up
ALTER TYPE audit_outcome ADD VALUE 'failed';

COMMENT ON COLUMN audit_log.outcome IS 'Whether it was done, refused by a rule, or rolled back by a failure.';

-- migrate:down
-- A value cannot be removed from a type.
ALTER TYPE audit_outcome RENAME TO audit_outcome_with_failed;
CREATE TYPE audit_outcome AS ENUM ('done', 'refused');
ALTER TABLE audit_log ALTER COLUMN outcome TYPE audit_outcome USING replace(outcome::text, 'failed', 'refused')::audit_outcome;
DROP TYPE audit_outcome_with_failed;
COMMENT ON COLUMN audit_log.outcome IS 'Whether it was done or refused.';
