-- What dupwatch reads of the event log of @workflow/world-postgres 4.1.1, without the payload columns: for config/compose.yaml.
-- In a real database the engine's own migration makes the table.
CREATE SCHEMA workflow;
CREATE TABLE workflow.workflow_events (
  id varchar PRIMARY KEY,
  type varchar NOT NULL,
  correlation_id varchar,
  created_at timestamp NOT NULL DEFAULT now(),
  run_id varchar NOT NULL
);
CREATE INDEX workflow_events_run_id_index ON workflow.workflow_events (run_id);
CREATE INDEX workflow_events_correlation_id_index ON workflow.workflow_events (correlation_id);
