// Creates the tables of the engine's queue the way a worker does: with graphile-worker's own migrations.
import { createRequire } from 'node:module';

/** The graphile-worker that world-postgres 4.1.1 comes with, in the database at `uri`. */
export async function installQueue(uri) {
  const require = createRequire(new URL('./4.1.1/package.json', import.meta.url));
  const { Logger, runMigrations } = require('graphile-worker');
  await runMigrations({ connectionString: uri, logger: new Logger(() => () => {}) });
}
