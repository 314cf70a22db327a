// Renders the chart with render/main.go: Helm itself can't be had here.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { kubernetes } from './objects.mjs';

export const folder = path.join(kubernetes, 'helm/dupwatch');
let program;

function build() {
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'dupwatch-render-'));
  process.on('exit', () => fs.rmSync(scratch, { recursive: true, force: true }));
  const made = spawnSync('go', ['build', '-o', path.join(scratch, 'render'), '.'], {
    cwd: fileURLToPath(new URL('render/', import.meta.url)), encoding: 'utf8',
    // Debian's packages and nothing else: no module is asked for.
    env: { ...process.env, GO111MODULE: 'off', GOPATH: '/usr/share/gocode', GOFLAGS: '', GOCACHE: path.join(scratch, 'cache') },
  });
  if (made.status !== 0) throw new Error(`render/main.go does not build: ${made.error ?? made.stderr}`);
  return path.join(scratch, 'render');
}

/** {objects, notes, templates: file -> objects}; throws with the chart's words where it refuses. */
export function render(values = {}, { release = 'dupwatch', namespace = 'dupwatch', chart = folder } = {}) {
  program ??= build();
  const ended = spawnSync(program, [chart], { encoding: 'utf8', input: JSON.stringify({ release, namespace, values }) });
  if (ended.status !== 0) throw new Error(ended.stderr);
  const { documents, notes } = JSON.parse(ended.stdout);
  return { objects: documents.map(({ object }) => object), notes, templates: [...new Set(documents.map(({ template }) => template))] };
}

export const DSN = 'host=postgres dbname=app user=dupwatch';
/** The one value without which the chart refuses, and others. */
export const withDsn = (more = {}) => ({ ...more, config: { connection: { dsn: DSN }, ...more.config } });

export const ofKind = (objects, kind, name) => objects.find((object) => object.kind === kind && (!name || object.metadata.name === name));
