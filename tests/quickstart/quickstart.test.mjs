// ./quickstart without the building: its lines fit a terminal, the fatal ones stand out, and what it says to do next works.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { COLUMNS_MAX, findingLine, LEGEND, worstFirst } from './show.mjs';

const FINDING = {
  flagged_at: '2026-11-24T05:21:38.123456Z', severity: 'fatal', state: 'open', change: 'new', rule: 'delivery_after_disposal', run_id: 'wrun_01KRPCM1M08Q2V5D6HXK3T9WNB',
  correlation_id: 'step_01KRPCM4XQ7C9E2TB5GAMXJ4R6', commit_gap_ms: -999.94,
};

test('no line is wider than a terminal, whatever stands in it', () => {
  for (const more of [{}, { commit_gap_ms: 99_994 }, { commit_gap_ms: 123_456_789 }, { commit_gap_ms: null }, { correlation_id: null }, { correlation_id: ['a', 'b'] }, { run_id: 'r'.repeat(300) }, { state: 'run_ended' }]) {
    const line = findingLine({ ...FINDING, ...more });
    assert.ok(line.length <= COLUMNS_MAX, `${line.length}: ${line}`);
  }
  for (const line of LEGEND) assert.ok(line.length <= COLUMNS_MAX, line);
  assert.equal(findingLine(FINDING), '05:21:38  FATAL     delivery_after_disposal  wrun_01KRPCM1M08Q2V5D6HXK3T9WNB  step ..J4R6  -999.9 ms');
});

test('the fatal ones of runs that go on come first', () => {
  const list = [['harmless', 'open', 3], ['fatal', 'run_ended', 4], ['fatal', 'open', 1], ['conflict', 'open', 9], ['fatal', 'open', 2]];
  const ordered = worstFirst(list.map(([severity, state, at]) => ({ severity, state, flagged_at: `${at}` })));
  assert.equal(ordered.map(({ flagged_at: at }) => at).join(''), '21493');
});

test('what it says to do next, done by the letter, saves the run', { timeout: 180_000 }, async (t) => {
  const child = spawn(process.execPath, [fileURLToPath(new URL('quickstart.mjs', import.meta.url))], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NO_COLOR: '1' } });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { said += data; });
  const ended = new Promise((resolve) => { child.once('close', resolve); });
  t.after(() => child.kill('SIGKILL'));
  // A run may end between the words and the hand: then the next fatal one is taken.
  const saved = () => {
    const [, exported] = /^ {2}(export DUPWATCH_CONFIG=\S+)$/m.exec(said) ?? [];
    const [, explain] = /^ {2}(\S+ explain wrun_\w+)$/m.exec(said) ?? [];
    const [, apply] = /^ {2}(\S+ quarantine apply [0-9a-f]{16} --yes)$/m.exec(said) ?? [];
    if (!apply) return false;
    const run = (command) => spawnSync('sh', ['-c', `${exported}; ${command}`], { encoding: 'utf8' });
    const shown = run(explain);
    assert.equal(shown.status, 1, shown.stderr);
    assert.match(shown.stdout, /✗ fatal/);
    const taken = run(apply);
    assert.ok(/^removed wevt_/.test(taken.stdout) || /^refused \((run_ended|still_fatal)/.test(taken.stdout), taken.stdout + taken.stderr);
    return taken.stdout;
  };
  const deadline = Date.now() + 120_000;
  let outcome;
  while (!(outcome = saved())) {
    assert.ok(Date.now() < deadline && child.exitCode === null, said);
    await new Promise((resolve) => { setTimeout(resolve, 200); });
  }
  t.diagnostic(outcome.trim());
  child.kill('SIGINT');
  assert.equal(await ended, 0, said);
  assert.match(said, /^page http:\/\/127\.0\.0\.1:\d+\//m);
  for (const line of said.split('\n')) assert.ok(line.length <= COLUMNS_MAX, line);
  assert.ok(said.includes('the next replay of the run fails'));
});

test('the recording of it is small, needs nothing from elsewhere, and stands still for who wants that', () => {
  const svg = fs.readFileSync(new URL('quickstart.svg', import.meta.url), 'utf8');
  assert.ok(svg.length < 500_000, `${svg.length}`);
  assert.ok((svg.match(/<g id="f\d+">/g) ?? []).length > 5 && (svg.match(/<image /g) ?? []).length === 3);
  for (const [, address] of svg.matchAll(/(?:href|src)="([^"]{0,30})/g)) assert.ok(address.startsWith('data:image/png;base64,'), address);
  assert.ok(svg.includes('prefers-reduced-motion') && svg.includes('<title>'));
  assert.match(svg, /removed wevt_/);
});
