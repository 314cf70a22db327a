// Renders the chart with helm.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { kubernetes, parseAll } from './objects.mjs';
import { output } from './tools.mjs';

export const folder = path.join(kubernetes, 'helm/dupwatch');
const withNotes = new Map();

/** A copy whose notes are a document of their own: `helm template` renders them and does not show them. */
function copyOf(chart) {
  if (withNotes.has(chart)) return withNotes.get(chart);
  const copy = fs.mkdtempSync(path.join(os.tmpdir(), 'dupwatch-chart-'));
  process.on('exit', () => fs.rmSync(copy, { recursive: true, force: true }));
  fs.cpSync(chart, copy, { recursive: true });
  fs.renameSync(path.join(copy, 'templates/NOTES.txt'), path.join(copy, 'notes'));
  fs.writeFileSync(path.join(copy, 'templates/notes.yaml'), 'notes: {{ tpl (.Files.Get "notes") . | toJson }}\n');
  withNotes.set(chart, copy);
  return copy;
}

/** {objects, notes}; throws with the words of helm or of the chart where they refuse. */
export function render(values = {}, { release = 'dupwatch', namespace = 'dupwatch', chart = folder } = {}) {
  const text = output('helm', ['template', release, copyOf(chart), '--namespace', namespace, '--values', '-'], { input: JSON.stringify(values) });
  const documents = parseAll(text);
  const [{ notes }] = documents.filter((document) => 'notes' in document);
  return { objects: documents.filter((document) => !('notes' in document)), notes };
}

export const DSN = 'host=postgres dbname=app user=dupwatch';
/** The one value without which the chart refuses, and others. */
export const withDsn = (more = {}) => ({ ...more, config: { connection: { dsn: DSN }, ...more.config } });

export const ofKind = (objects, kind, name) => objects.find((object) => object.kind === kind && (!name || object.metadata.name === name));
