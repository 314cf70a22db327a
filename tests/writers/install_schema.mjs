// Creates the event log's tables the way its users do: with the package's own setup program.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The package versions that have an install folder here. */
export const worlds = ['4.1.1', '4.1.4', '4.2.0', '4.3.7', '5.0.0-beta.27', '5.0.0-beta.29'];

/** Runs the setup program of one version against the database at `uri`; rejects with its output when it fails. */
export function installSchema(world, uri) {
  const program = fileURLToPath(new URL(`./${world}/node_modules/@workflow/world-postgres/bin/setup.js`, import.meta.url));
  return new Promise((resolve, reject) => {
    let output = '';
    // Its own folder as the working directory: the program reads a .env file from wherever it is started.
    const child = spawn(process.execPath, [program], {
      cwd: fileURLToPath(new URL(`./${world}/`, import.meta.url)),
      env: { ...process.env, WORKFLOW_POSTGRES_URL: uri, DATABASE_URL: uri },
    });
    child.stdout.on('data', (data) => { output += data; });
    child.stderr.on('data', (data) => { output += data; });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`schema setup of ${world} failed:\n${output}`));
    });
  });
}

/** The same as the content of a cluster; see createCluster. */
export const schemaOf = (world) => ({ name: world, make: (cluster) => installSchema(world, cluster.uri()) });
