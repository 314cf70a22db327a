// What the package brings beside the program says what the program says, and the unit is as closed as it claims to be.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { binary, runCommand } from '../integration/daemon.mjs';
import { assertTruth, daemonFor, insertEvents, serverWithSchema } from '../integration/scene.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const unit = path.join(root, 'config/packaging/systemd/dupwatch.service');

function run(command, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', ...options });
  assert.equal(status, 0, `${command} ${args.join(' ')}: ${error ?? stderr}${stdout}`);
  return { stdout, stderr };
}

const generate = (script, ...args) => run('perl', [path.join(root, 'config/packaging/generate', script), ...args]).stdout;

function scratch(t) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'dupwatch-packaging-'));
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Every command as [words, long options of its own], from --help. */
async function commands(words = []) {
  const { stdout } = await runCommand([...words, '--help']);
  const [, listed = ''] = stdout.split('Exit codes:')[0].split('\nSubcommands:\n');
  const below = [...listed.matchAll(/^ {2}([a-z-]+) /gm)].map(([, name]) => commands([...words, name]));
  const options = [...stdout.matchAll(/^ {2}(?:-\w,)?(--[a-z-]+(?:\.[a-z]+)*)/gm)].map(([, option]) => option);
  return [[words, options], ...(await Promise.all(below)).flat()];
}

/** What bash offers behind `words`, when a tab is pressed after `begun`. */
function bashOffers(file, words, begun) {
  const line = ['dupwatch', ...words, begun].map((word) => `'${word}'`).join(' ');
  const script = `source '${file}'; COMP_WORDS=(${line}); COMP_CWORD=${words.length + 1}; _dupwatch; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return run('bash', ['-c', script]).stdout.split('\n').filter(Boolean);
}

test('every command and option of --help is completed in bash', async (t) => {
  const file = path.join(scratch(t), 'dupwatch');
  fs.writeFileSync(file, generate('completion.pl', binary(), 'bash'));
  const all = await commands();
  assert.ok(all.length > 15, `${all.length} commands`);
  for (const [words, options] of all) {
    if (words.length) assert.ok(bashOffers(file, words.slice(0, -1), '').includes(words.at(-1)), words.join(' '));
    const offered = bashOffers(file, words, '--');
    for (const option of options) assert.ok(offered.includes(option), `${words.join(' ')} ${option}: ${offered.join(' ')}`);
  }
  // An option before the command, one of the command above, values, and files.
  assert.ok(bashOffers(file, ['quarantine', '--json', 'apply'], '--').includes('--config'));
  assert.deepEqual(bashOffers(file, ['run', '--plugin'], 'w'), ['wal2json']);
  assert.deepEqual(bashOffers(file, ['metrics', '--format'], 'm'), ['markdown']);
  assert.deepEqual(bashOffers(file, ['run', '--config'], unit.slice(0, -3)), [unit]);
});

test('every command and option of --help is completed in zsh', async (t) => {
  const file = path.join(scratch(t), '_dupwatch');
  const text = generate('completion.pl', binary(), 'zsh');
  // _describe is the shell's; here it prints what it was given. The function itself runs once when it is loaded.
  fs.writeFileSync(file, text.replace(/\n_dupwatch "\$@"\n$/, '\n'));
  for (const [words, options] of await commands()) {
    const script = `_describe() { print -l -- "\${(@P)2}" }; _files() { print files }; source '${file}'; words=(dupwatch ${words.join(' ')} ''); CURRENT=${words.length + 2}; _dupwatch`;
    const offered = run('zsh', ['-f', '-c', script]).stdout.split('\n').map((line) => line.split(':')[0]);
    for (const option of options) assert.ok(offered.includes(option), `${words.join(' ')} ${option}: ${offered.join(' ')}`);
  }
});

/** A page as a reader sees it, without a complaint of groff. */
function page(t, name, text) {
  const file = path.join(scratch(t), name);
  fs.writeFileSync(file, text);
  const { stdout, stderr } = run('man', ['--warnings', '-l', file], { env: { ...process.env, LC_ALL: 'C.UTF-8', MANWIDTH: '120', MANROFFOPT: '-rHY=0', MAN_KEEP_FORMATTING: '' } });
  assert.equal(stderr, '');
  return stdout;
}

test('dupwatch(1) has every command, option and exit code of --help', async (t) => {
  const text = page(t, 'dupwatch.1', generate('man1.pl', binary(), '1.2.3'));
  assert.match(text, /dupwatch 1\.2\.3/);
  for (const [words, options] of await commands()) {
    const begin = words.length ? text.indexOf(`\n   ${words.join(' ')}\n`) : text.indexOf('\nOPTIONS\n');
    assert.ok(begin > 0, `no section ${words.join(' ')}`);
    const section = text.slice(begin, words.length ? text.slice(begin + 5).search(/\n(?: {3})?[a-zA-Z]/) + begin + 5 : undefined);
    for (const option of options.filter((name) => name !== '--help')) assert.ok(section.includes(option), `${words.join(' ')} ${option}: ${section}`);
  }
  const codes = text.slice(text.indexOf('\nEXIT STATUS\n')).split('\nFILES\n')[0];
  assert.deepEqual([...codes.matchAll(/^ {7}(\d) /gm)].map(([, code]) => code), ['0', '1', '2', '3', '4']);
});

test('dupwatch.yaml(5) has every key of the reference configuration', (t) => {
  const source = fs.readFileSync(path.join(root, 'config/dupwatch.yaml'), 'utf8');
  const text = page(t, 'dupwatch.yaml.5', generate('man5.pl', path.join(root, 'config/dupwatch.yaml'), '1.2.3'));
  let section = '';
  let group = '';
  let keys = 0;
  for (const [, indent, mark, key, value] of source.matchAll(/^( *)(# )?([a-z_]+):(?: (.*))?$/gm)) {
    if (indent === '' && !mark) section = value === undefined ? `${key}.` : '';
    if (!mark && indent.length < 4) group = indent === '  ' && value === undefined ? `${key}.` : '';
    if (value === undefined && !mark) continue;
    if (mark && section === '') continue; // a sentence of the header
    keys += 1;
    const line = `       ${section}${group}${key}${mark ? '' : `: ${value}`}`.slice(0, 100);
    assert.ok(text.includes(`\n${line}`), `no ${line.trim()}`);
  }
  assert.ok(keys > 60, `${keys} keys`);
  assert.match(text, /misspelt setting is never ignored/);
});

test('the unit is valid, and its exposure is at most 2.0', (t) => {
  const dir = scratch(t);
  const copy = path.join(dir, 'dupwatch.service');
  // The program, its account and its pages are not installed here.
  fs.writeFileSync(copy, fs.readFileSync(unit, 'utf8').replaceAll('/usr/bin/dupwatch', binary()));
  const { stdout, stderr } = run('systemd-analyze', ['verify', '--man=no', '--recursive-errors=no', copy]);
  assert.equal(`${stdout}${stderr}`, '');
  // 20 is 2.0.
  const { stdout: report } = run('systemd-analyze', ['security', '--offline=true', '--threshold=20', unit]);
  t.diagnostic(report.split('\n').find((line) => line.includes('Overall')));
});

/** The system calls that a list of SystemCallFilter= lets through: names, @groups, and ~ to take away. */
function allowedCalls(filters) {
  const groups = {};
  let group;
  for (const line of run('systemd-analyze', ['syscall-filter']).stdout.split('\n')) {
    if (line.startsWith('@')) groups[line.trim()] = group = [];
    else if (/^ {4}[@\w]/.test(line)) group?.push(line.trim());
  }
  const expand = (name) => (name.startsWith('@') ? groups[name].flatMap(expand) : [name]);
  const allowed = new Set(expand('@default'));
  for (const filter of filters) {
    for (const call of filter.replace(/^~/, '').split(' ').flatMap(expand)) filter.startsWith('~') ? allowed.delete(call) : allowed.add(call);
  }
  return allowed;
}

// A container may forbid tracing.
const untraced = spawnSync('strace', ['-qq', '-o', '/dev/null', 'true']).status !== 0 && 'strace may not trace here';

test('the daemon makes no system call that the unit forbids', { skip: untraced }, async (t) => {
  const filters = [...fs.readFileSync(unit, 'utf8').matchAll(/^SystemCallFilter=(.*)$/gm)].map(([, filter]) => filter);
  const allowed = allowedCalls(filters);
  assert.ok(allowed.has('read') && !allowed.has('chown') && !allowed.has('setrlimit') && allowed.size > 200, `${allowed.size} calls`);
  const cluster = await serverWithSchema(t);
  const dir = scratch(t);
  const daemon = await daemonFor(t, cluster, { connection: { dsn: cluster.dsn({ host: 'localhost' }) } });
  const trace = path.join(dir, 'trace');
  const wrapper = path.join(dir, 'dupwatch');
  fs.writeFileSync(wrapper, `#!/bin/sh\nexec strace -D -f -qq -o '${trace}' '${path.resolve(binary())}' "$@"\n`, { mode: 0o755 });
  const before = process.env.DUPWATCH_BIN;
  process.env.DUPWATCH_BIN = wrapper;
  t.after(() => (before === undefined ? delete process.env.DUPWATCH_BIN : Object.assign(process.env, { DUPWATCH_BIN: before })));
  await daemon.start();
  await insertEvents(cluster, [{ run: 'wrun_a', type: 'run_created' }, { run: 'wrun_a', type: 'run_created' }]);
  await assertTruth(daemon);
  for (const where of ['/', '/metrics', '/api/findings']) assert.equal((await daemon.fetch(where)).status, 200);
  await sleep(1000);
  assert.equal((await daemon.stop()).code, 0);
  const calls = new Set([...fs.readFileSync(trace, 'utf8').matchAll(/^\d+ +(\w+)\(/gm)].map(([, call]) => call));
  assert.ok(calls.has('sendto') && calls.has('fdatasync') && calls.size > 30, [...calls].join(' '));
  assert.deepEqual([...calls].filter((call) => !allowed.has(call)), []);
  t.diagnostic(`${calls.size} different system calls`);
});
