// What an application does to the event log while a fault is on: inserts with the repeats that the engine's race makes,
// legal ones, updates and deletes. Ids are chosen here, so a statement whose outcome a lost connection hides is sent again.
import { setTimeout as sleep } from 'node:timers/promises';
import { EVENTS, eventId } from '../integration/scene.mjs';

const RUNS = 'workflow.workflow_runs';
let runs = 0;

const retryable = (error) => /^(08|57P0|53300)/.test(error.code ?? '') || /ECONN|EPIPE|terminated|Client|closed|starting up/i.test(`${error.code} ${error.message}`);

export class Load {
  /**
   * Two sessions unless told otherwise. `churn: false` leaves updates and deletes out. `pauseMs` between runs. `ends`: one
   * run of four ends.
   */
  constructor(cluster, { sessions = 2, churn = true, pauseMs = 20, reconnect = false, table = EVENTS, ends = false } = {}) {
    Object.assign(this, { cluster, churn, pauseMs, reconnect, table, ends });
    this.written = 0;
    this.runsWritten = 0;
    this.failures = [];
    this.retries = 0;
    this.running = true;
    this.workers = Array.from({ length: sessions }, () => this.work());
  }

  async work() {
    const session = {};
    while (this.running) {
      await this.writeRun(session);
      if (this.pauseMs) await sleep(this.pauseMs);
    }
    await session.client?.end().catch(() => {});
  }

  /** One statement of the application, in its own transaction; false when it failed for another reason than a lost server, which counts. */
  async statement(session, sql, parameters) {
    for (;;) {
      try {
        session.client ??= await this.cluster.client({ statement_timeout: 30_000 });
        await session.client.query(sql, parameters);
        this.written += 1;
        return true;
      } catch (error) {
        if (error.code === '23505') return true; // sent again, and the first time had come through
        await session.client?.end().catch(() => {});
        session.client = undefined;
        if (!this.reconnect || !retryable(error)) {
          this.failures.push(`${sql.slice(0, 60)}: ${error.message}`);
          return false;
        }
        if (this.abandoned) return false;
        this.retries += 1;
        await sleep(50);
      }
    }
  }

  async writeRun(session) {
    runs += 1;
    const n = runs;
    const number = String(n).padStart(10, '0');
    const run = `wrun_01K0000000000000${number}`;
    const step = `step_01K0000000000000${number}`;
    const hook = `hook_01K0000000000000${number}`;
    const event = (type, correlation = null) => this.statement(session,
      `INSERT INTO ${this.table} (run_id, type, correlation_id, id) VALUES ($1, $2, $3, $4)`, [run, type, correlation, eventId(n)]);
    // The engine writes no event of a run that is not there, and no scan of the open runs would read it.
    if (!await this.statement(session, `INSERT INTO ${RUNS} (id, deployment_id, status, name) VALUES ($1, 'd', 'running', 'w')`, [run])) return;
    await event('run_created');
    await event('run_started');
    await event('step_created', step);
    if (n % 2) await event('step_created', step); // harmless: before the close
    await event('step_started', step);
    await event('step_started', step);
    await event('hook_created', hook);
    await event('hook_received', hook);
    await event('hook_received', hook);
    await event('step_completed', step);
    if (n % 3 === 0) await event('step_created', step); // fatal: after the close
    if (n % 5 === 0) await event('step_completed', step);
    if (this.churn) {
      const id = eventId(n);
      await this.statement(session, `INSERT INTO ${this.table} (run_id, type, correlation_id, id) VALUES ($1, 'hook_received', $2, $3)`, [run, hook, id]);
      await this.statement(session, `UPDATE ${this.table} SET spec_version = 1 WHERE run_id = $1 AND id = $2`, [run, id]);
      await this.statement(session, `DELETE FROM ${this.table} WHERE run_id = $1 AND id = $2`, [run, id]);
    }
    if (this.ends && n % 4 === 0) {
      await event('run_completed');
      await this.statement(session, `UPDATE ${RUNS} SET status = 'completed' WHERE id = $1`, [run]);
    }
    this.runsWritten += 1;
  }

  /** Waits until so many more runs are written. */
  async more(count, timeoutMs = 60_000) {
    const target = this.runsWritten + count;
    for (const deadline = Date.now() + timeoutMs; this.runsWritten < target; await sleep(20)) {
      if (Date.now() > deadline) throw new Error(`the load wrote no ${count} runs within ${timeoutMs} ms: ${this.failures[0] ?? ''}`);
    }
  }

  /** Ends at once, whatever the server does; for the end of a test. */
  abandon() {
    this.abandoned = true;
    return this.stop();
  }

  /** Ends when the runs that are begun are written. */
  async stop() {
    this.running = false;
    await Promise.all(this.workers);
  }
}
