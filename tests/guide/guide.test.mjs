// What the README and the guide say is done as it stands there: every command and statement, every file, every output that
// they show. What can't be done here has a mark, and the list of those is pinned.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { binary } from '../integration/daemon.mjs';
import { assertSame, catalogue } from '../integration/server_catalogue.mjs';
import { serverWithSchema } from '../integration/scene.mjs';
import { installQueue } from '../writers/install_queue.mjs';
import { Reader } from './reader.mjs';
import { blocksOf, documents, inlineCode, pages, root } from './text.mjs';

// Marks of the README's blocks, which are run in the source tree.
const QUICKSTART = ['until-ctrl-c', 'to-its-end'];
// Marks of blocks that are run elsewhere, and where.
const ELSEWHERE = {
  'in-the-source-tree': 'tests/packaging/package.test.mjs',
  'in-a-debian-of-its-own': 'tests/packaging/package.test.mjs',
};
// Blocks that nobody runs: the mark says why. One more has to be written here too.
const NOT_RUN = [
  ['README.md', 'it is what runs this test', ['./test']],
  ['config/guide/install.md', 'no running systemd', ['sudo']],
  ['config/guide/install.md', 'no container engine', ['docker', 'docker']],
  ['config/guide/findings.md', 'needs your application', ['export', 'dupwatch']],
  ['config/guide/profiles.md', "the table is another program's", ['CREATE', '', '', '', '', 'CREATE']],
];
const isNotRun = ({ mark }) => mark.startsWith('not-run: ');
const marked = (block) => isNotRun(block) || block.mark in ELSEWHERE;
// Options that inline code names and no block uses, each with the reason.
const NOT_USED = {
  '--offline': 'the guide has a server; tests/integration/check_surroundings.test.mjs',
  '--web.config.file': 'the same file as http.web_config_file; tests/integration/web_tls.test.mjs',
  '--log-level': 'the daemon of the guide has that of its file; tests/integration/operations.test.mjs',
  '--engine': 'the reader has no application; tests/runtime/rehearse.test.mjs',
  '--without': 'an option of rehearse.mjs; tests/runtime/rehearse.test.mjs',
  '--partial': 'no run of the guide has two such rows; tests/integration/quarantine.test.mjs',
  '--neutralise': 'the engine of the scene is 4.1.1; tests/integration/quarantine_noop.test.mjs',
};

/** Evaluates a query on the Prometheus that the guide has started. */
async function promql({ at, body }, reader) {
  const answer = await fetch(`http://${reader.local('127.0.0.1:9090')}/api/v1/query?${new URLSearchParams({ query: body })}`);
  const { status, data, error } = await answer.json();
  assert.equal(status, 'success', `${at}: ${error}`);
  assert.ok(data.result.length > 0, `${at}: no series`);
}

const keysOf = (value) => (value && typeof value === 'object' && !Array.isArray(value) ? Object.entries(value).map(([key, part]) => [key, keysOf(part)]) : null);

/** A finding that is shown has the fields, in their order, of the ones that dupwatch has written. */
function json({ at, mark, body }, reader) {
  assert.equal(mark, 'finding', `${at}: JSON of what?`);
  const [written] = fs.readFileSync(path.join(reader.cwd, 'findings.jsonl'), 'utf8').split('\n');
  assert.deepEqual(keysOf(JSON.parse(body)), keysOf(JSON.parse(written)), at);
}

test('the guide, read from the first page to the last, leaves the server as it was', { timeout: 300_000 }, async (t) => {
  const cluster = await serverWithSchema(t, {
    hba: ['local all all trust', 'host all dupwatch 127.0.0.1/32 scram-sha-256', 'host all all 127.0.0.1/32 trust'],
  });
  // What a worker of the engine makes.
  await installQueue(cluster.uri());
  const before = await catalogue(cluster);
  const reader = await Reader.begin(t, cluster);
  for (const page of pages) {
    for (const block of blocksOf(page).filter((each) => each.language && !marked(each))) await reader.read(block, { promql, json });
    if (page.endsWith('/uninstall.md')) assertSame(await catalogue(cluster), before);
  }
  assert.ok(reader.commands.filter((line) => line.includes('dupwatch ')).length > 40, 'the guide has no commands');

  // Inline code names no option that was not used.
  const own = blocksOf('README.md').filter(({ mark }) => QUICKSTART.includes(mark)).map(({ body }) => body);
  const used = new Set([...reader.commands.filter((line) => line.includes('dupwatch')), ...own].flatMap(optionsOf));
  const unused = documents.flatMap(inlineCode).flatMap(({ at, code }) => optionsOf(code).filter((option) => !used.has(option)).map((option) => [at, option]));
  assert.deepEqual(unused.filter(([, option]) => !NOT_USED[option]), [], 'no block runs these');
  for (const option of Object.keys(NOT_USED)) assert.ok(unused.some(([, name]) => name === option), `${option} is no longer an exception`);
});

const optionsOf = (text) => [...text.matchAll(/(?<![\w-])--[a-z][a-z-]+(?:\.[a-z]+)*/g)].map(([option]) => option);

/** Runs a block of the README in the source tree; `until(said)`: then Ctrl-C. Resolves what it has said. */
async function quickstart(t, { at, body }, until) {
  // The script builds the preset release first. A binary of another build is not to wait for that.
  const built = binary() === path.join(root, 'build/release/bin/dupwatch');
  const command = built ? body : body.replace('./quickstart', 'exec node tests/quickstart/quickstart.mjs');
  const child = spawn('bash', ['-c', command], { cwd: root, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const kill = () => child.exitCode ?? process.kill(-child.pid, 'SIGKILL');
  process.on('exit', kill);
  t.after(kill);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { said += data; });
  const ended = new Promise((resolve) => { child.once('close', resolve); });
  if (until) {
    while (!until(said)) {
      assert.equal(child.exitCode, null, `${at}: ended by itself\n${said}`);
      await sleep(100);
    }
    process.kill(-child.pid, 'SIGINT');
  }
  assert.equal(await ended, 0, `${at}: ${said}`);
  assert.match(said, /removed the server, the slot and all files/);
  return said;
}

test('./quickstart of the README shows findings, until Ctrl-C or its end', { timeout: 280_000 }, async (t) => {
  const [endless, once, ...more] = blocksOf('README.md').filter(({ mark }) => QUICKSTART.includes(mark));
  assert.deepEqual([endless.mark, once.mark, more.length], [...QUICKSTART, 0]);
  await quickstart(t, endless, (said) => /^\d\d:\d\d:\d\d .*duplicate_created/m.test(said));
  assert.match(await quickstart(t, once), /missed 0, false 0, wrong 0/);
});

test('what is not run here is known, with its reason', () => {
  const all = documents.flatMap(blocksOf);
  assert.deepEqual(all.filter(isNotRun).map(({ file, mark, body }) => [file, mark.slice('not-run: '.length), body.split('\n').filter(Boolean).map((line) => line.split(' ')[0])]), NOT_RUN);
  for (const { mark, at, file } of all.filter((block) => block.mark in ELSEWHERE)) {
    const text = fs.readFileSync(root + ELSEWHERE[mark], 'utf8');
    assert.ok(file === 'config/guide/install.md' && text.includes(`guide('${mark}')`), `${at}: ${ELSEWHERE[mark]} does not run it`);
  }
});

test('no command hides from the reader', () => {
  for (const block of documents.flatMap(blocksOf)) {
    const { language, at, body, indent } = block;
    assert.ok(['', 'bash', 'sql', 'yaml', 'ini', 'json', 'promql', 'text'].includes(language), `${at}: "${language}"`);
    assert.equal(indent, '', `${at}: an indented block`);
    if (language === '') assert.doesNotMatch(body, /^\s*(\$|#|dupwatch|psql|sudo|docker|kubectl|helm|cmake|node|\.\/)\s?/m, `${at}: a command in a block without a language`);
    if (language === 'text') assert.ok(body.trim(), `${at}: an empty output`);
  }
  assert.deepEqual(pages.map((page) => path.basename(page)).sort(), fs.readdirSync(`${root}config/guide`).sort(), 'the README lists every page');
});

test('every link of the README and the guide leads to a file', () => {
  for (const file of documents) {
    const text = fs.readFileSync(root + file, 'utf8');
    assert.ok(text.split('\n').length <= 400, file);
    for (const [, target] of text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)) assert.ok(fs.existsSync(path.join(root, path.dirname(file), target)), `${file}: ${target}`);
  }
});
