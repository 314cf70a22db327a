// The README and the guide say what the binary does: every command, option and exit code of --help stands in them, and no others.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import { documents, root } from '../guide/text.mjs';
import { runCommand } from './daemon.mjs';

const documented = documents.map((file) => fs.readFileSync(root + file, 'utf8')).join('\n');
/** The commands below `words`, as --help lists them. */
async function commandsBelow(words) {
  const { stdout, code } = await runCommand([...words, '--help']);
  assert.equal(code, 0);
  const list = stdout.split(/^Subcommands:$/m)[1] ?? '';
  return [...list.matchAll(/^ {2}([a-z-]+) {2,}/gm)].map(([, name]) => name);
}
const commands = await commandsBelow([]);
const actions = [];
for (const command of commands) for (const action of await commandsBelow([command])) actions.push([command, action]);
const optionsOf = (text) => [...text.matchAll(/(?<![\w-])--[a-z][a-z-]+(?:\.[a-z]+)*/g)].map(([option]) => option);

test('every command and option of --help is in the README or the guide', async () => {
  assert.ok(commands.length > 9 && actions.length > 9, `${commands} ${actions}`);
  for (const command of commands) assert.ok(documented.includes(`\`dupwatch ${command}`), `the documents lack dupwatch ${command}`);
  for (const words of [...commands.map((command) => [command]), ...actions]) {
    const help = await runCommand([...words, '--help']);
    assert.equal(help.code, 0);
    assert.match(help.stdout, /^Exit codes: 0 .*\nExamples:\n {2}dupwatch /m, `${words.join(' ')} --help has no exit codes or example`);
    for (const option of optionsOf(help.stdout)) assert.ok(documented.includes(option), `the documents lack ${words.join(' ')} ${option}`);
  }
});

test('every dupwatch option that they name exists', async () => {
  const helps = await Promise.all([[], ...commands.map((command) => [command]), ...actions].map((args) => runCommand([...args, '--help'])));
  const known = new Set(helps.flatMap(({ stdout }) => optionsOf(stdout)));
  const spoken = [...documented.matchAll(/`dupwatch [^`]*`/g)].flatMap(([code]) => optionsOf(code));
  assert.ok(spoken.length > 0);
  for (const option of spoken) assert.ok(known.has(option), `the documents name ${option}, which no command has`);
});

test('config/METRICS.md is what dupwatch metrics prints, and its JSON and text speak of the same metrics', async () => {
  const [markdown, json, text] = await Promise.all(
    [['--format', 'markdown'], ['--json'], []].map((options) => runCommand(['metrics', '--describe', ...options])));
  assert.equal(markdown.stdout, fs.readFileSync(new URL('../../config/METRICS.md', import.meta.url), 'utf8'));
  const { metrics, series_max: most } = JSON.parse(json.stdout);
  assert.ok(most > 0 && most < 550, `${most} series`);
  assert.equal(most, metrics.reduce((sum, metric) => sum + metric.series_max, 0));
  const rows = [...markdown.stdout.matchAll(/^\| `([a-z_]+)` \|/gm)].map(([, name]) => name);
  assert.deepEqual(metrics.map(({ name }) => name), rows);
  const lines = [...text.stdout.matchAll(/^((?:dupwatch|process)_[a-z_]+) +(?:counter|gauge|histogram) /gm)].map(([, name]) => name);
  assert.deepEqual(lines, rows);
  assert.equal((await runCommand(['metrics'])).code, 2);
});

test('the guide and --help give the same exit codes', async () => {
  const { stdout } = await runCommand(['--help']);
  const footer = stdout.slice(stdout.indexOf('Exit codes:')).split('Passwords')[0];
  const inHelp = [...footer.matchAll(/\b([0-9]) [a-z]/g)].map(([, code]) => code);
  const inGuide = [...documented.matchAll(/^\| ([0-9]) \|/gm)].map(([, code]) => code);
  assert.deepEqual(inHelp, ['0', '1', '2', '3', '4']);
  assert.deepEqual(inGuide, inHelp);
});

test('a wrong command line or configuration ends with exit code 2', async () => {
  for (const args of [[], ['nonsense'], ['quarantine', 'nonsense'], ['run', '--nonsense'], ['run', '--config', '/nonexistent.yaml'], ['run', '--plugin', 'wal2jsn']]) {
    const { code, stderr, stdout } = await runCommand(args);
    assert.equal(code, 2, `${args.join(' ')}: ${stdout}${stderr}`);
    assert.ok(stderr.length > 0);
  }
});

test('help of a command is what its --help prints, and version what --version prints', async () => {
  for (const words of [[], ['findings'], ['findings', 'ack'], ['run']]) {
    const [help, option] = await Promise.all([runCommand(['help', ...words]), runCommand([...words, '--help'])]);
    assert.equal(help.code, 0, help.stderr);
    assert.equal(help.stdout, option.stdout, words.join(' '));
  }
  for (const [words, said] of [[['findngs'], 'dupwatch has no command "findngs"; did you mean findings?'], [['findings', 'akc'], 'findings has no command "akc"; did you mean ack?'], [['zzz'], 'dupwatch has no command "zzz"\n']]) {
    const { code, stdout, stderr } = await runCommand(['help', ...words]);
    assert.deepEqual([code, stdout], [2, '']);
    assert.ok(stderr.startsWith(`error: ${said}`), stderr);
  }
  const [version, option, json] = await Promise.all([['version'], ['--version'], ['version', '--json']].map((args) => runCommand(args)));
  assert.equal(version.stdout, option.stdout);
  const { version: number, revision, compiler } = JSON.parse(json.stdout);
  assert.equal(version.stdout, `dupwatch ${number} (${revision}, ${compiler})\n`);
});

test('a mistyped command, action or option is named, with the nearest that exists', async () => {
  for (const [args, said] of [
    [['audti'], 'dupwatch has no command "audti"; did you mean audit?'],
    [['quarantine', 'aply'], 'quarantine has no command "aply"; did you mean apply?'],
    [['check', '--jsno'], 'check has no option "--jsno"; did you mean --json?'],
    [['run', '--nothing-like-it'], 'run has no option "--nothing-like-it"\n'],
  ]) {
    const { code, stderr } = await runCommand(args);
    assert.equal(code, 2);
    assert.ok(stderr.startsWith(`error: ${said}`), stderr);
  }
});

test('output that cannot be written whole is no success', async () => {
  for (const args of [['metrics', '--describe'], ['setup', '--print-sql']]) {
    const { code, stderr } = await runCommand(args, { stdout: '/dev/full' });
    assert.equal(code, 4, stderr);
    assert.match(stderr, /No space left|could not be written/);
  }
});
